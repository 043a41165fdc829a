import type { Duplex } from "node:stream";
import type { SecureContext } from "node:tls";

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

  /**
   * Speaks TLS, as the server, on an accepted connection of this transport on which nothing was written. That belongs
   * to the answer from now on, which may be the same object. The outcome of the handshake comes as `onConnect` or
   * `onClose`, never before this call has returned; what is written before is sent after it.
   */
  secure(accepted: Connection, options: SecureOptions, handlers: ConnectionHandlers): Connection;
}

/** How to speak TLS on an accepted connection. */
export interface SecureOptions {
  readonly server: TlsServer;
  /** From now on; without a complete handshake by then: `onClose` with code ETIMEDOUT. */
  readonly handshakeTimeoutMs: number;
  /** What was read of the connection already: the beginning of the client's hello. Copied. */
  readonly received?: Uint8Array;
}

/** How one listener speaks TLS. Immutable; another one serves handshakes that begin after a change. */
export interface TlsServer {
  /** For clients that name no server, or none that is known. */
  readonly defaultContext: SecureContext;
  /**
   * What is shown to a client that names a server; versions, ciphers and tickets are those of `defaultContext`
   * nevertheless. Absent: the default is for all names.
   * @param serverName of the client's hello (SNI), in lower case.
   */
  contextOf?(serverName: string): SecureContext;
  /** In order of our preference; empty = none is negotiated. */
  readonly alpnProtocols: readonly AlpnProtocol[];
  /**
   * NONE: no certificate is asked for. OPTIONAL: one that is shown must be valid. REQUIRED: there must be one. A client
   * that does not comply is closed with code ERR_TLS_CLIENT_CERTIFICATE.
   */
  readonly clientAuth: "NONE" | "OPTIONAL" | "REQUIRED";
}

/** How to speak TLS with a server. */
export interface TlsClient {
  readonly context: SecureContext;
  /** SNI, and the name that the certificate must bear. An IP address is verified, and not sent. */
  readonly serverName: string;
  /** True: any certificate is taken. */
  readonly skipVerify: boolean;
  /** In order of preference; empty = none is offered. */
  readonly alpnProtocols: readonly AlpnProtocol[];
}

/** What is spoken inside TLS. */
export type AlpnProtocol = "h2" | "http/1.1";

/** What a handshake agreed on. */
export interface TlsFacts {
  /** `TLSv1.2` or `TLSv1.3`. */
  readonly version: string;
  /** Standard name of the cipher suite (IANA). */
  readonly cipher: string;
  /** Server side: the client's SNI in lower case. */
  readonly serverName: string | undefined;
  readonly alpnProtocol: AlpnProtocol | undefined;
  /** No certificate was exchanged: it went on where an earlier connection had been. */
  readonly isResumed: boolean;
  /** Server side: the client's certificate, verified. */
  readonly clientCertificate: TlsClientCertificate | undefined;
}

/** A verified certificate of a client. */
export interface TlsClientCertificate {
  /** Fields of the subject's distinguished name, such as CN; one that is there several times has several values. */
  readonly subject: Readonly<Record<string, string | readonly string[]>>;
  /** Distinguished names as text (RFC 4514), the most specific field first. */
  readonly subjectText: string;
  readonly issuerText: string;
  /** Hex, upper case. */
  readonly serialNumber: string;
  /** Hex, lower case. */
  readonly fingerprintSha256: string;
  /** ISO 8601. */
  readonly notBefore: string;
  readonly notAfter: string;
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
  /** Without a connection, TLS included, by then: `onClose` with code ETIMEDOUT. */
  readonly timeoutMs: number;
  /** Sent as the first bytes, in cleartext even where TLS follows. At most a few hundred. */
  readonly preface?: Uint8Array;
  /**
   * `toDuplex` may be asked for: an engine that has connections of its own uses Node's streams for this one. Default
   * false.
   */
  readonly mayBecomeDuplex?: boolean;
  /** Speaks TLS: `onConnect` comes after the handshake. Absent: cleartext. */
  readonly tls?: TlsClient;
}

/** One end of a connection. */
export interface Endpoint {
  /** Canonical IP text. */
  readonly address: string;
  readonly port: number;
}

/** Between whom a connection is that came through a proxy. */
export interface ProxiedEndpoints {
  readonly source: Endpoint;
  readonly destination: Endpoint;
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
  /**
   * Between whom the connection is, as a trusted proxy before us said; undefined when nobody did. Set once, before anybody
   * asks for the client: `remoteAddress` and `remotePort` are those of the source from then on.
   */
  proxied: ProxiedEndpoints | undefined;
  /** Canonical IP text, IPv4-mapped IPv6 as IPv4; the unspecified address when the peer was gone before it was asked. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  /** Bytes accepted by `write` that the kernel has not taken yet. */
  readonly pendingBytes: number;
  /** What the handshake agreed on, from `onConnect` on; undefined in cleartext. */
  readonly tls: TlsFacts | undefined;
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
  /**
   * The connection as a stream of Node, for protocols that Node itself speaks (HTTP/2): the stream owns it from now on,
   * and the handlers hear nothing any more. Nothing may have been written that is not sent.
   * @param unread bytes that came and are the stream's to read first; copied.
   */
  toDuplex(unread: Uint8Array): Duplex;
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
