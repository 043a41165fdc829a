import { createSocket, type Socket, type SocketOptions } from "node:dgram";

import { isLoss, MOST_WAITING, noPort, queueFull, RECEIVE_BUFFER_BYTES } from "./datagram-limits.ts";
import type {
  BindOptions,
  BoundSocket,
  BoundSocketHandlers,
  DatagramEndpoint,
  DatagramTransport,
  PeerSocket,
  PeerSocketHandlers,
} from "./datagram.ts";
import { hostPort, wrapError } from "./system-error.ts";
import type { TransportError } from "./transport.ts";

/** UDP sockets on node:dgram. */
export function createDgramDatagrams(): DatagramTransport {
  return {
    bind: bindSocket,
    connect: (peer, handlers) => new DgramPeerSocket(peer, handlers),
  };
}

async function bindSocket(options: BindOptions, handlers: BoundSocketHandlers): Promise<BoundSocket> {
  const { address, port, reusePort } = options;
  const socket = createSocket({ ...optionsFor(address), reusePort, recvBufferSize: RECEIVE_BUFFER_BYTES });
  await new Promise<void>((resolve, reject) => {
    const refuse = (cause: Error): void => reject(wrapError("listen", hostPort(address, port), cause));
    socket.once("error", refuse);
    socket.bind({ address, port, exclusive: true }, () => {
      socket.off("error", refuse);
      resolve();
    });
  });
  return new DgramBoundSocket(socket, handlers);
}

class DgramBoundSocket implements BoundSocket {
  readonly address: string;
  readonly port: number;
  readonly #socket: Socket;
  readonly #handlers: BoundSocketHandlers;
  readonly #onSent = (cause: Error | null): void => {
    if (cause !== null) this.#fail(cause);
  };
  #closed: Promise<void> | undefined;

  constructor(socket: Socket, handlers: BoundSocketHandlers) {
    const { address, port } = socket.address();
    this.address = address;
    this.port = port;
    this.#socket = socket;
    this.#handlers = handlers;
    socket.on("message", (bytes, from) => handlers.onDatagram(bytes, from, this));
    socket.on("error", (cause) => this.#fail(cause));
  }

  send(bytes: Uint8Array, to: DatagramEndpoint): void {
    if (this.#closed !== undefined) return;
    if (to.port === 0) return queueMicrotask(() => this.#lose(noPort(to)));
    if (isFull(this.#socket)) return queueMicrotask(() => this.#lose(queueFull(to)));
    this.#socket.send(bytes, to.port, to.address, this.#onSent);
  }

  close(): Promise<void> {
    this.#closed ??= new Promise((resolve) => void this.#socket.close(resolve));
    return this.#closed;
  }

  #fail(cause: Error): void {
    this.#lose(wrapError("write", hostPort(this.address, this.port), cause));
  }

  #lose(error: TransportError): void {
    if (this.#closed === undefined) this.#handlers.onLoss(error);
  }
}

class DgramPeerSocket implements PeerSocket {
  readonly #socket: Socket;
  readonly #peer: DatagramEndpoint;
  readonly #handlers: PeerSocketHandlers;
  readonly #onSent = (cause: Error | null): void => {
    if (cause !== null) this.#fail(cause);
  };
  #state: "opening" | "open" | "closed" = "opening";
  #refusal: Error | undefined;

  constructor(peer: DatagramEndpoint, handlers: PeerSocketHandlers) {
    this.#peer = peer;
    this.#handlers = handlers;
    this.#socket = createSocket(optionsFor(peer.address));
    this.#socket.on("message", (bytes) => handlers.onDatagram(bytes));
    this.#socket.on("error", (cause) => this.#fail(cause));
    // With an address instead of a name all of it happens in this call, but for what `connect` itself has to say.
    this.#socket.connect(peer.port, peer.address);
    if (this.#refusal !== undefined) {
      this.close();
      throw this.#explain(this.#refusal);
    }
    this.#state = "open";
  }

  send(bytes: Uint8Array): void {
    if (this.#state !== "open") return;
    if (isFull(this.#socket)) return queueMicrotask(() => this.#hear(queueFull(this.#peer)));
    try {
      this.#socket.send(bytes, this.#onSent);
    } catch (error) {
      // `connect` has failed, and says so in the next round: until then Node takes the socket for one without a peer.
      if ((error as NodeJS.ErrnoException).code !== "ERR_SOCKET_BAD_PORT") throw error;
    }
  }

  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#socket.close();
  }

  #fail(cause: Error): void {
    if (this.#state === "opening") this.#refusal = cause;
    else this.#hear(this.#explain(cause));
  }

  #hear(error: TransportError): void {
    if (this.#state !== "open") return;
    if (isLoss(error)) this.#handlers.onLoss(error);
    else this.#handlers.onUnreachable(error);
  }

  #explain(cause: Error): TransportError {
    return wrapError("connect", hostPort(this.#peer.address, this.#peer.port), cause);
  }
}

/** Addresses are not looked up: a VIP of IPv6 is IPv6 alone, and the answer comes at once. */
function optionsFor(address: string): SocketOptions {
  const isIpv6 = address.includes(":");
  return {
    type: isIpv6 ? "udp6" : "udp4",
    ipv6Only: isIpv6,
    lookup: (host, _options, callback) => callback(null, host, isIpv6 ? 6 : 4),
  };
}

function isFull(socket: Socket): boolean {
  return socket.getSendQueueCount() >= MOST_WAITING;
}
