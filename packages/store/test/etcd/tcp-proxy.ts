import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** A wire to a server that can be cut, and that can swallow what comes back. */
export class TcpProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isCut = false;
  #isMute = false;
  #onSwallowed: () => void = () => {};

  private constructor(target: URL) {
    this.#server = createServer((client) => {
      const server = connect({ host: target.hostname, port: Number(target.port) });
      if (this.#isCut) {
        client.destroy();
        server.destroy();
        return;
      }
      this.#join(client, server);
    });
  }

  static async start(target: string): Promise<TcpProxy> {
    const proxy = new TcpProxy(new URL(target));
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Ends all connections; new ones end at once. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#isCut = false;
    this.#isMute = false;
  }

  /** From now on the client hears nothing; what it says still arrives. Resolves when something has been swallowed. */
  mute(): Promise<void> {
    this.#isMute = true;
    return new Promise((resolve) => (this.#onSwallowed = resolve));
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    this.cut();
    await closed;
  }

  #join(client: Socket, server: Socket): void {
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(one);
      one.on("error", () => one.destroy());
      one.on("close", () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
    client.on("data", (data) => server.write(data));
    server.on("data", (data) => {
      if (!this.#isMute) client.write(data);
      else this.#onSwallowed();
    });
  }
}
