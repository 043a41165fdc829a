import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A server that says its name to whoever connects, then echoes. */
export interface EchoServer {
  readonly name: string;
  readonly port: number;
  close(): Promise<void>;
}

/** Starts one on 127.0.0.1; port 0 is any. */
export async function startEchoServer(name: string, listenPort = 0): Promise<EchoServer> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    socket.write(`${name}\n`);
    socket.pipe(socket);
  });
  server.listen(listenPort, "127.0.0.1");
  await once(server, "listening");
  return {
    name,
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** A port of an address that was free a moment ago. */
export async function freePort(host: string): Promise<number> {
  const server = createServer();
  server.listen(0, host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** A connection whose server has said its name. */
export class EchoClient {
  readonly #socket: Socket;
  /** How it ended: in order, or with an error's code. */
  readonly ended: Promise<string>;
  server = "";
  #received = "";
  #wake: () => void = () => undefined;

  private constructor(target: { readonly host: string; readonly port: number }) {
    this.#socket = connect({ host: target.host, port: target.port }).setEncoding("utf8");
    this.ended = new Promise((resolve) => {
      let how = "closed";
      this.#socket.on("error", (error: NodeJS.ErrnoException) => (how = error.code ?? error.message));
      this.#socket.on("close", () => resolve(how));
    });
    this.#socket.on("data", (text: string) => {
      this.#received += text;
      this.#wake();
    });
    this.#socket.on("close", () => this.#wake());
  }

  /** @throws Error with the code of the failure when no server says its name. */
  static async open(target: { readonly host: string; readonly port: number }): Promise<EchoClient> {
    const client = new EchoClient(target);
    client.server = (await client.#take((text) => text.indexOf("\n") + 1)).trim();
    return client;
  }

  /** Sends text; resolves with what came back, as long as it. */
  echo(text: string): Promise<string> {
    this.#socket.write(text);
    return this.#take((received) => (received.length >= text.length ? text.length : 0));
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Waits until there is as much as wanted (0: not yet), and takes it. */
  async #take(wanted: (received: string) => number): Promise<string> {
    while (wanted(this.#received) === 0) {
      if (this.#socket.destroyed) throw new Error(await this.ended);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    const length = wanted(this.#received);
    const taken = this.#received.slice(0, length);
    this.#received = this.#received.slice(length);
    return taken;
  }
}

/** Opens connections one after the other and counts who served, failures by their code. */
export async function tally(
  target: { readonly host: string; readonly port: number },
  connections: number,
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < connections; i++) {
    const name = await EchoClient.open(target).then(
      async (client) => {
        client.end();
        await client.ended;
        return client.server;
      },
      (error: Error) => error.message,
    );
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}
