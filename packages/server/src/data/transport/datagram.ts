import type { TransportError } from "./transport.ts";

/**
 * What a UDP socket is to the code above: datagrams in by callback, send, close.
 *
 * The seam between forwarding (`l4/`) and the engine that does the system calls, beside that of connections
 * (`transport.ts`). `node-datagrams.ts` carries it on Node; `test/data/transport/datagram.contract.ts` is the suite that
 * every engine passes.
 */
export interface DatagramTransport {
  /**
   * Opens a socket that anybody may send to. Resolves once it receives.
   * @throws TransportError when the address cannot be bound; `code` is the system's (EADDRINUSE, EADDRNOTAVAIL, EACCES…).
   */
  bind(options: BindOptions, handlers: BoundSocketHandlers): Promise<BoundSocket>;

  /**
   * Opens a socket on a port of its own that speaks with one peer and hears nobody else. It can be sent on at once.
   * @throws TransportError when the system has no socket or port left (EMFILE, ENFILE, EADDRINUSE, ENOBUFS…).
   */
  connect(peer: DatagramEndpoint, handlers: PeerSocketHandlers): PeerSocket;
}

/** One end of a flow of datagrams. */
export interface DatagramEndpoint {
  /** IP text as the system writes it: link-local IPv6 with its zone (`fe80::1%eth0`). */
  readonly address: string;
  readonly port: number;
}

/** Where to receive. */
export interface BindOptions extends DatagramEndpoint {
  /** Several sockets (one a worker) share the port, and the kernel gives all datagrams of a flow to one of them. */
  readonly reusePort: boolean;
}

/** What the owner of a bound socket hears; never from inside a method of the socket. */
export interface BoundSocketHandlers {
  /** The bytes are never changed afterwards: they can be kept, and sent on. */
  onDatagram(bytes: Uint8Array, from: DatagramEndpoint, to: BoundSocket): void;
  /** A datagram could not be sent, and is lost. */
  onLoss(error: TransportError): void;
}

/** A socket that receives from anybody, and answers from its own address and port. */
export interface BoundSocket extends DatagramEndpoint {
  /**
   * Sends, if the system takes it: what it does not take is lost, as anywhere on the way. The bytes must not be changed
   * afterwards, for they may wait.
   */
  send(bytes: Uint8Array, to: DatagramEndpoint): void;
  /** Idempotent; nothing is heard any more. Resolves when the port is free. */
  close(): Promise<void>;
}

/** What the owner of a peer socket hears; never from inside a method of the socket. */
export interface PeerSocketHandlers {
  /** The bytes are never changed afterwards: they can be kept, and sent on. */
  onDatagram(bytes: Uint8Array): void;
  /**
   * The peer cannot be reached: its host answered that nothing listens there (ICMP port unreachable: ECONNREFUSED), or
   * there is no route. What was sent is lost. The socket may be sent on again.
   */
  onUnreachable(error: TransportError): void;
  /** A datagram could not be sent, and is lost; the peer is not to blame. */
  onLoss(error: TransportError): void;
}

/** A socket that speaks with one peer. */
export interface PeerSocket {
  /** As {@link BoundSocket.send}. */
  send(bytes: Uint8Array): void;
  /** Idempotent; nothing is heard any more. */
  close(): void;
}
