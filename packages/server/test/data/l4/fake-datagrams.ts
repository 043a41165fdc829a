import type {
  BindOptions,
  BoundSocket,
  BoundSocketHandlers,
  DatagramEndpoint,
  DatagramTransport,
  PeerSocket,
  PeerSocketHandlers,
} from "../../../src/data/transport/datagram.ts";
import { TransportError } from "../../../src/data/transport/transport.ts";

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

/** A socket to a backend, driven by the test. */
export class FakePeer implements PeerSocket {
  readonly sent: string[] = [];
  isOpen = true;
  readonly peer: DatagramEndpoint;
  readonly #handlers: PeerSocketHandlers;

  constructor(peer: DatagramEndpoint, handlers: PeerSocketHandlers) {
    this.peer = peer;
    this.#handlers = handlers;
  }

  send(bytes: Uint8Array): void {
    this.sent.push(text(bytes));
  }

  close(): void {
    this.isOpen = false;
  }

  /** The backend sends. */
  reply(what: string): void {
    if (this.isOpen) this.#handlers.onDatagram(Buffer.from(what));
  }

  /** The backend's host says that nothing listens there. */
  refuse(): void {
    if (this.isOpen) this.#handlers.onUnreachable(new TransportError("ECONNREFUSED", "refused"));
  }

  lose(): void {
    if (this.isOpen) this.#handlers.onLoss(new TransportError("ENOBUFS", "full"));
  }
}

/** The socket of a listener: what it sent, and to whom. */
export class FakeBound implements BoundSocket {
  readonly sent: string[] = [];
  readonly address: string;
  readonly port: number;
  readonly options: BindOptions;
  readonly handlers: BoundSocketHandlers;
  readonly #onClose: () => void;

  constructor(options: BindOptions, handlers: BoundSocketHandlers, onClose: () => void) {
    this.address = options.address;
    this.port = options.port;
    this.options = options;
    this.handlers = handlers;
    this.#onClose = onClose;
  }

  send(bytes: Uint8Array, { address, port }: DatagramEndpoint): void {
    this.sent.push(`${address} ${port} ${text(bytes)}`);
  }

  async close(): Promise<void> {
    this.#onClose();
  }
}

/** Sockets without a network. */
export class FakeDatagrams implements DatagramTransport {
  readonly log: string[] = [];
  readonly bound = new Map<string, FakeBound>();
  readonly broken = new Map<string, string>();
  readonly peers: FakePeer[] = [];
  /** Sockets that the system gives at once. */
  mostPeers = Infinity;

  async bind(options: BindOptions, handlers: BoundSocketHandlers): Promise<BoundSocket> {
    const endpoint = `${options.address}:${options.port}`;
    const code = this.broken.get(endpoint);
    if (code !== undefined) throw new TransportError(code, endpoint);
    this.log.push(`open ${endpoint}`);
    const socket = new FakeBound(options, handlers, () => {
      this.log.push(`close ${endpoint}`);
      this.bound.delete(endpoint);
    });
    this.bound.set(endpoint, socket);
    return socket;
  }

  connect(peer: DatagramEndpoint, handlers: PeerSocketHandlers): PeerSocket {
    if (this.open.length >= this.mostPeers) throw new TransportError("EMFILE", "out of file descriptors");
    const socket = new FakePeer(peer, handlers);
    this.peers.push(socket);
    return socket;
  }

  get open(): readonly FakePeer[] {
    return this.peers.filter(({ isOpen }) => isOpen);
  }
}
