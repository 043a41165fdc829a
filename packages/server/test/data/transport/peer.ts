import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";

/**
 * The other end of a connection, on plain `net` or `tls`: reads only when a test says so, may be half-closed, and tells
 * what it saw. Nothing of the code under test is in here.
 */
export class Peer {
  readonly socket: net.Socket;
  readonly chunks: Buffer[] = [];
  receivedBytes = 0;
  /** Saw FIN. */
  ended = false;
  /** Code of the error that ended it: ECONNRESET after a reset. */
  errorCode: string | undefined;
  readonly closed: Promise<void>;
  readonly #tcp: net.Socket;

  /** @param tcp what `socket` speaks TLS over. */
  constructor(socket: net.Socket, tcp: net.Socket = socket) {
    this.socket = socket;
    this.#tcp = tcp;
    socket.on("end", () => (this.ended = true));
    socket.on("error", (error: NodeJS.ErrnoException) => (this.errorCode = error.code));
    this.closed = new Promise((resolve) => void socket.once("close", () => resolve()));
  }

  /** @param secure speaks TLS, with these options. */
  static async connect(target: PeerTarget, secure?: tls.ConnectionOptions): Promise<Peer> {
    const tcp = net.connect({ host: target.address, port: target.port, allowHalfOpen: true, noDelay: true });
    await once(tcp, "connect");
    if (secure === undefined) return new Peer(tcp);
    const socket = tls.connect({ ...secure, socket: tcp });
    await once(socket, "secureConnect");
    return new Peer(socket, tcp);
  }

  /** Reads from now on. */
  read(): this {
    if (this.socket.listenerCount("data") === 0) this.socket.on("data", this.#keep);
    this.socket.resume();
    return this;
  }

  readonly #keep = (bytes: Buffer): void => {
    this.chunks.push(bytes);
    this.receivedBytes += bytes.length;
  };

  get received(): Buffer {
    return Buffer.concat(this.chunks);
  }

  /** Resolves once so many bytes were read. */
  async receivedAtLeast(bytes: number): Promise<void> {
    this.read();
    while (this.receivedBytes < bytes) await once(this.socket, "data");
  }

  /** Resolves when FIN was read. */
  async end(): Promise<void> {
    this.read();
    if (!this.ended) await once(this.socket, "end");
  }

  /** Ends with a TCP reset. */
  reset(): void {
    // While FIN is being sent libuv refuses a reset, and the handle would stay open for good.
    if (this.socket.writableEnded && !this.socket.writableFinished) this.#tcp.destroy();
    else this.#tcp.resetAndDestroy();
  }

  /** Sends; resolves when the kernel has taken everything. */
  send(bytes: string | Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }
}

/** Where to connect. */
export interface PeerTarget {
  readonly address: string;
  readonly port: number;
}

/** A server on plain `net`, or `tls`, that hands out its connections in order. */
export class PeerServer {
  readonly server: net.Server;
  readonly peers: Peer[] = [];
  readonly #waiting: ((peer: Peer) => void)[] = [];
  #handedOut = 0;

  private constructor(server: net.Server, secure: tls.TlsOptions | undefined) {
    this.server = server;
    if (secure === undefined) {
      server.on("connection", (socket: net.Socket) => this.#arrived(new Peer(socket)));
      return;
    }
    const inner = tls.createServer({ ...secure, allowHalfOpen: true });
    const below = new Map<number | undefined, net.Socket>();
    server.on("connection", (tcp: net.Socket) => {
      below.set(tcp.remotePort, tcp);
      inner.emit("connection", tcp);
    });
    inner.on("secureConnection", (socket) => this.#arrived(new Peer(socket, below.get(socket.remotePort))));
    inner.on("tlsClientError", (_error, socket) => socket.destroy());
  }

  /** @param secure speaks TLS, with these options; connections are handed out after their handshake. */
  static async listen(address = "127.0.0.1", secure?: tls.TlsOptions): Promise<PeerServer> {
    const server = net.createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true });
    server.listen(0, address);
    await once(server, "listening");
    return new PeerServer(server, secure);
  }

  #arrived(peer: Peer): void {
    this.peers.push(peer);
    const waiting = this.#waiting.shift();
    if (waiting === undefined) return;
    this.#handedOut += 1;
    waiting(peer);
  }

  get address(): string {
    return (this.server.address() as net.AddressInfo).address;
  }

  get port(): number {
    return (this.server.address() as net.AddressInfo).port;
  }

  /** The next connection that nobody has asked for yet. */
  next(): Promise<Peer> {
    const peer = this.peers[this.#handedOut];
    if (peer === undefined) return new Promise((resolve) => void this.#waiting.push(resolve));
    this.#handedOut += 1;
    return Promise.resolve(peer);
  }

  async close(): Promise<void> {
    if (!this.server.listening) return;
    const closed = once(this.server, "close");
    this.server.close();
    for (const { socket } of this.peers) socket.destroy();
    await closed;
  }
}

/** A port of loopback on which nobody listens: connecting is refused. */
export async function closedPort(): Promise<number> {
  const server = await PeerServer.listen();
  const { port } = server;
  await server.close();
  return port;
}

/** Bytes in which a shifted, lost or doubled piece shows: a random block of prime length, repeated. */
export function pattern(length: number, seed = 1): Buffer {
  const block = Buffer.allocUnsafe(Math.min(length, 65_521));
  let value = seed >>> 0 || 1;
  for (let i = 0; i < block.length; i += 1) {
    value = (Math.imul(value, 1_664_525) + 1_013_904_223) >>> 0;
    block[i] = value >>> 24;
  }
  return Buffer.alloc(length, block);
}
