import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";

import type { ConnectDeadlines, Deadline } from "./connect-deadlines.ts";
import { SocketListeners } from "./socket-listeners.ts";
import { connectTimeout, hostPort, unmapIpv4, wrapError } from "./system-error.ts";
import { handshakeCut, handshakeTimeout, tlsError } from "./tls-error.ts";
import { HandshakeFacts } from "./tls-facts.ts";
import { acceptTls, connectTls, sessionOf } from "./tls-socket.ts";
import { verifyClient } from "./tls-verify.ts";
import {
  type ConnectOptions,
  type Connection,
  type ConnectionHandlers,
  type ProxiedEndpoints,
  type SecureOptions,
  type TlsFacts,
  type TransportError,
  noHandlers,
} from "./transport.ts";

/** What the stream connections of one thread share. */
export interface StreamIo {
  readonly deadlines: ConnectDeadlines;
  /** Memory of the chunk that an `onData` is looking at. Node never reuses it, so a write need not copy it. */
  inHand: ArrayBufferLike | undefined;
}

/** One connection on a `net.Socket`, or on a `TLSSocket` over one. */
export class StreamConnection implements Connection, Deadline {
  handlers: ConnectionHandlers = noHandlers;
  deadlineMs = Infinity;
  proxied: ProxiedEndpoints | undefined;
  readonly #tcp: Socket;
  readonly #io: StreamIo;
  readonly #target: ConnectOptions | undefined;
  readonly #listeners: SocketListeners;
  /** What bytes go through: the TCP socket, or TLS over it. */
  #socket: Socket;
  #tls: TLSSocket | undefined;
  /** Set while this end is the server of TLS. */
  #accepting: SecureOptions | undefined;
  #facts: HandshakeFacts | undefined;
  #connected: boolean;
  #paused = false;
  #endHeld = false;
  #closing = false;
  /** Node's own from now on. */
  #givenAway = false;
  #error: TransportError | undefined;

  /** @param target where the socket connects to; absent for an accepted one. */
  constructor(socket: Socket, io: StreamIo, target?: ConnectOptions) {
    this.#tcp = socket;
    this.#socket = socket;
    this.#io = io;
    this.#target = target;
    this.#connected = target === undefined;
    this.#listeners = new SocketListeners({
      data: (bytes: Buffer) => this.#received(bytes),
      end: () => this.#ended(),
      drain: () => this.#drained(),
      error: (cause: NodeJS.ErrnoException) => this.#failed(cause),
      close: () => this.#closed(),
    });
    if (target === undefined) this.#listeners.attach(socket);
    else this.#connect(target);
  }

  get tls(): TlsFacts | undefined {
    return this.#facts;
  }

  get remoteAddress(): string {
    return this.proxied?.source.address ?? this.#target?.address ?? unmapIpv4(this.#tcp.remoteAddress ?? "0.0.0.0");
  }

  get remotePort(): number {
    return this.proxied?.source.port ?? this.#target?.port ?? this.#tcp.remotePort ?? 0;
  }

  get localAddress(): string {
    return unmapIpv4(this.#tcp.localAddress ?? "0.0.0.0");
  }

  get localPort(): number {
    return this.#tcp.localPort ?? 0;
  }

  get pendingBytes(): number {
    return this.#socket.destroyed ? 0 : this.#socket.writableLength;
  }

  write(bytes: Uint8Array): boolean {
    if (this.#closing || !this.#socket.writable) return true;
    return this.#socket.write(bytes.buffer === this.#io.inHand ? bytes : Buffer.from(bytes));
  }

  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#paused = false;
    this.read();
  }

  /** Reads from now on, unless the owner has paused or nothing more is to come. */
  read(): void {
    if (this.#paused || !this.#connected || this.#closing) return;
    if (this.#endHeld) queueMicrotask(() => this.#tellHeldEnd());
    else this.#socket.resume();
  }

  shutdown(): void {
    if (!this.#closing) this.#socket.end();
  }

  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#socket.pause();
    if (this.#connected || this.#socket.writableLength > 0) this.#socket.destroySoon();
    else this.#socket.destroy();
  }

  reset(): void {
    if (this.#givenAway) return;
    this.#closing = true;
    const socket = this.#socket;
    // While FIN is being sent libuv refuses a reset, which `resetAndDestroy` does not notice.
    const finIsGoingOut = socket.writableEnded && socket.writableLength === 0 && !socket.writableFinished;
    if (this.#tcp.connecting) socket.destroy();
    else if (finIsGoingOut) socket.once("finish", () => this.#tcp.resetAndDestroy());
    else this.#tcp.resetAndDestroy();
  }

  /** Speaks TLS as the server from now on; the handshake's outcome is told to the handlers. */
  secure(options: SecureOptions): void {
    if (this.#closing) return;
    this.#listeners.detach(this.#tcp);
    this.#tcp.pause();
    // A socket tells its peer only while it is open, and errors name it: asked once, it is remembered.
    void this.#tcp.remoteAddress;
    if (options.received !== undefined) this.#tcp.unshift(Buffer.from(options.received));
    this.#accepting = options;
    this.#connected = false;
    this.#setDeadline(options.handshakeTimeoutMs);
    const tls = acceptTls(this.#tcp, options.server);
    tls.once("secure", () => this.#clientSecured(tls, options));
    this.#speak(tls);
  }

  toDuplex(unread: Uint8Array): Duplex {
    const socket = this.#socket;
    this.handlers = noHandlers;
    this.#closing = true;
    this.#givenAway = true;
    this.#listeners.detach(socket);
    socket.pause();
    if (unread.length > 0) socket.unshift(Buffer.from(unread));
    // HTTP/2 takes what the handle reads, and does not start it.
    socket.read(0);
    return socket;
  }

  /** The time to connect, or to speak TLS, is over. */
  expire(): void {
    this.#error =
      this.#accepting === undefined
        ? connectTimeout(this.#peer, this.#target?.timeoutMs ?? 0)
        : handshakeTimeout(this, this.#accepting.handshakeTimeoutMs);
    this.#closing = true;
    this.#socket.destroy();
  }

  #setDeadline(timeoutMs: number): void {
    this.deadlineMs = this.#io.deadlines.nowMs + timeoutMs;
    this.#io.deadlines.add(this);
  }

  #connect(target: ConnectOptions): void {
    this.#setDeadline(target.timeoutMs);
    // Node keeps it until the socket is connected, and it goes out before TLS, which waits for the same event.
    if (target.preface !== undefined) this.#tcp.write(Buffer.from(target.preface));
    if (target.tls === undefined) {
      this.#tcp.once("connect", () => this.#opened());
      return this.#listeners.attach(this.#tcp);
    }
    const tls = connectTls(this.#tcp, target.tls);
    tls.once("secureConnect", () => this.#secured(tls, undefined));
    this.#speak(tls);
  }

  /** What fails below TLS is told by the TCP socket; what fails in it and after the handshake, by an event of its own. */
  #speak(tls: TLSSocket): void {
    this.#tls = tls;
    this.#socket = tls;
    this.#listeners.attach(tls);
    this.#tcp.on("error", (cause) => this.#failed(cause));
    tls.on("_tlsError", (cause: NodeJS.ErrnoException) => this.#failed(cause));
  }

  #clientSecured(tls: TLSSocket, { server }: SecureOptions): void {
    const { certificate, refusal } = verifyClient(sessionOf(tls), server);
    if (refusal !== undefined) return this.#failed(refusal);
    // As a `tls.Server` does: HTTP/2 waits for it.
    (tls as TLSSocket & { secureConnecting: boolean }).secureConnecting = false;
    this.#secured(tls, certificate);
  }

  #secured(tls: TLSSocket, certificate: Buffer | undefined): void {
    if (this.#closing) return;
    const { alpnProtocol } = tls;
    const { servername } = tls as TLSSocket & { readonly servername?: string | false };
    const names = { serverName: this.#accepting && servername, alpnProtocol: alpnProtocol ?? false };
    this.#facts = new HandshakeFacts(sessionOf(tls), names, certificate);
    this.#opened();
  }

  #opened(): void {
    if (this.#closing) return;
    this.#io.deadlines.delete(this);
    this.#connected = true;
    this.handlers.onConnect?.(this);
    this.read();
  }

  #received(bytes: Buffer): void {
    if (this.#closing) return;
    this.#io.inHand = bytes.buffer;
    this.handlers.onData(this, bytes);
    this.#io.inHand = undefined;
  }

  /** The stream may report the end although it was paused in the same turn: then it is held back. */
  #ended(): void {
    if (this.#closing) return;
    if (!this.#connected) return this.#cut();
    this.#endHeld = this.#paused;
    if (!this.#paused) this.handlers.onEnd(this);
  }

  /** Once, however often it was asked for meanwhile. */
  #tellHeldEnd(): void {
    if (this.#paused || !this.#endHeld || this.#closing) return;
    this.#endHeld = false;
    this.handlers.onEnd(this);
  }

  #cut(): void {
    this.#error ??= handshakeCut(this);
    this.#socket.destroy();
  }

  #drained(): void {
    if (!this.#closing) this.handlers.onDrain(this);
  }

  #failed(cause: NodeJS.ErrnoException): void {
    if (!this.#closing) this.#error ??= this.#errorOf(cause);
    this.#socket.destroy();
  }

  #errorOf(cause: NodeJS.ErrnoException): TransportError {
    if (this.#tls !== undefined && !this.#tcp.connecting && !isConnectError(cause)) {
      return tlsError(this, cause, this.#connected ? "open" : "handshake");
    }
    return wrapError(this.#connected ? "read" : "connect", this.#peer, cause);
  }

  #closed(): void {
    this.#closing = true;
    this.#io.deadlines.delete(this);
    const { handlers } = this;
    this.handlers = noHandlers;
    handlers.onClose(this, this.#error);
  }

  get #peer(): string {
    return hostPort(this.remoteAddress, this.remotePort);
  }
}

function isConnectError(cause: NodeJS.ErrnoException): boolean {
  return cause.syscall === "connect";
}
