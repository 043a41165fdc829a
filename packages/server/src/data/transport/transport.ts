/**
 * What a connection is to the code above: bytes in by callback, write, pause, resume, half-close, close.
 *
 * The seam between forwarding (`l4/`, `l7/`) and the engine that does the system calls. `node-transport.ts` carries it
 * on node:net; another engine carries the same code. `test/data/transport/transport.contract.ts` is the suite that
 * every engine passes.
 */
export interface Transport {
  /**
   * Opens a listening socket. Resolves once connections are accepted.
   * @throws TransportError when the address cannot be bound; `code` is the system's (EADDRINUSE, EADDRNOTAVAIL, EACCES…).
   */
  listen(options: ListenOptions, onConnection: (connection: Connection) => void): Promise<ListeningSocket>;

  /** Starts to connect. The outcome comes as `onConnect` or `onClose`, never before this call has returned. */
  connect(options: ConnectOptions, handlers: ConnectionHandlers): Connection;
}

/** Where to listen. */
export interface ListenOptions {
  /** Canonical IP text. */
  readonly address: string;
  /** 0 = any free port. */
  readonly port: number;
  /** Several sockets (one a worker) share the port, and the kernel spreads connections over them. */
  readonly reusePort: boolean;
  /** Connections the kernel queues before they are accepted. */
  readonly backlog: number;
  /** A connection could not be accepted (EMFILE: out of file descriptors); listening goes on. */
  readonly onAcceptError?: (error: TransportError) => void;
}

/** A socket that accepts. */
export interface ListeningSocket {
  readonly address: string;
  readonly port: number;
  /** Stops accepting; accepted connections live on. Idempotent. Resolves when the port is free. */
  close(): Promise<void>;
}

/** Where to connect. */
export interface ConnectOptions {
  /** Canonical IP text, or a name for engines that resolve; L4 and L7 pass addresses only. */
  readonly address: string;
  readonly port: number;
  /** Without a connection by then: `onClose` with code ETIMEDOUT. */
  readonly timeoutMs: number;
}

/**
 * What the owner of a connection hears. Order: `onConnect` (outgoing only), any number of `onData`, at most one
 * `onEnd`, exactly one `onClose`, after which nothing comes. None of them is called from inside a method of the connection.
 */
export interface ConnectionHandlers {
  /** An outgoing connection stands. */
  onConnect?(connection: Connection): void;
  /** Bytes from the peer. The view is the engine's own and only valid until this call returns. Not called while paused. */
  onData(connection: Connection, bytes: Uint8Array): void;
  /** The peer has sent its last byte (FIN). Writing is still possible. */
  onEnd(connection: Connection): void;
  /** After `write` answered false: everything written so far has gone to the kernel. */
  onDrain(connection: Connection): void;
  /** The end, whatever the reason; `error` is absent when both sides ended in order and when the owner ended it. */
  onClose(connection: Connection, error: TransportError | undefined): void;
}

/** Hears nothing: the handlers of a connection that nobody owns (yet, or any more). */
export const noHandlers: ConnectionHandlers = { onData() {}, onEnd() {}, onDrain() {}, onClose() {} };

/** One TCP connection. Every method may be called at any time and does nothing after `onClose`. */
export interface Connection {
  /** Set by the owner at once in `onConnection`; until then nothing is read. */
  handlers: ConnectionHandlers;
  /** Canonical IP text, IPv4-mapped IPv6 as IPv4; the unspecified address when the peer was gone before it was asked. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  /** Bytes accepted by `write` that the kernel has not taken yet. */
  readonly pendingBytes: number;
  /**
   * Sends bytes, after `onConnect` or from before it; the view may be reused as soon as this returns (what the kernel did not take is copied).
   * False: the buffer is past its high-water mark; stop until `onDrain`.
   */
  write(bytes: Uint8Array): boolean;
  /** No `onData` and no `onEnd` until `resume`; the peer is slowed down by TCP itself. */
  pause(): void;
  resume(): void;
  /** Sends FIN after everything written; reading goes on. Idempotent. */
  shutdown(): void;
  /** Ends both directions after everything written has gone out, and lets go; no `onData` or `onEnd` comes any more. */
  close(): void;
  /** Ends with a reset (RST), dropping what is unsent. */
  reset(): void;
}

/** A failure of the system, with its code. */
export class TransportError extends Error {
  override readonly name = "TransportError";
  /** The system's error name: ECONNREFUSED, ECONNRESET, ETIMEDOUT, EADDRINUSE… */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
