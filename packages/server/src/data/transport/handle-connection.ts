import { constants } from "node:os";
import type { Duplex } from "node:stream";

import type { Deadline } from "./connect-deadlines.ts";
import { HandleBacklog } from "./handle-backlog.ts";
import { type HandleOwner, callbacks, own, ownTls } from "./handle-callbacks.ts";
import { HandleEndpoints } from "./handle-endpoints.ts";
import type { HandleIo } from "./handle-io.ts";
import { socketOf } from "./handle-socket.ts";
import { HandleTls } from "./handle-tls.ts";
import { type Operation, connectTimeout, hostPort, systemError } from "./system-error.ts";
import type { StreamHandle, TcpHandle, WriteRequest } from "./tcp-binding.ts";
import { handshakeCut, handshakeTimeout, tlsError } from "./tls-error.ts";
import {
  type ConnectOptions,
  type Connection,
  type ConnectionHandlers,
  type SecureOptions,
  type TlsFacts,
  type TransportError,
  noHandlers,
} from "./transport.ts";

const UV_EOF = -4095;
const UV_ENOTCONN = -constants.errno.ENOTCONN;

/** One connection on a TCP handle of Node, or on TLS over one. */
export class HandleConnection extends HandleEndpoints implements Connection, Deadline, HandleOwner {
  handlers: ConnectionHandlers = noHandlers;
  deadlineMs = Infinity;
  readonly #io: HandleIo;
  readonly #handle: TcpHandle;
  readonly #target: ConnectOptions | undefined;
  /** What bytes go through: the TCP handle, or TLS over it. */
  #stream: StreamHandle;
  #tls: HandleTls | undefined;
  /** Set while this end is the server of TLS. */
  #accepting: SecureOptions | undefined;
  #backlog: HandleBacklog | undefined;
  #error: TransportError | undefined;
  /** The owner may be told of bytes and may send some: after the connect, and after the handshake. */
  #connected: boolean;
  #paused = false;
  #reading = false;
  /** The peer's FIN was read. */
  #ended = false;
  /** The owner wants FIN sent, or has had it sent. */
  #shutdownWanted = false;
  #shutdownRunning = false;
  #farewell: "unsaid" | "put off" | "said" = "unsaid";
  #closeWanted = false;
  #resetWanted = false;
  /** The handle is being closed; only `onClose` is still to come. */
  #closing = false;

  /** @param target where to connect to; absent for an accepted connection. */
  constructor(io: HandleIo, handle: TcpHandle, target?: ConnectOptions) {
    super(handle, target);
    this.#io = io;
    this.#handle = handle;
    this.#stream = handle;
    this.#target = target;
    this.#connected = target === undefined;
    own(handle, this);
    handle.useUserBuffer(target === undefined ? io.acceptedBuffer : io.readBuffer);
    handle.setNoDelay(true);
  }

  get tls(): TlsFacts | undefined {
    return this.#tls?.facts;
  }

  get pendingBytes(): number {
    return this.#closing || this.#backlog === undefined ? 0 : this.#backlog.bytes;
  }

  write(bytes: Uint8Array): boolean {
    if (this.#closing || this.#closeWanted || this.#shutdownWanted) return true;
    if (!this.#connected || this.#backlog !== undefined) {
      this.#backlog ??= new HandleBacklog(this.#handle);
      this.#backlog.push(Buffer.from(bytes));
      return this.#backlog.takesMore();
    }
    // TLS has read the bytes when this returns; TCP may go on reading them.
    const staged = this.#tls === undefined ? this.#io.stage(bytes) : bytes;
    const result = this.#stream.writeBuffer(null, staged);
    if (result === 0) return true;
    return typeof result === "number" ? this.#writeFailed(result) : this.#awaitWrite(result, staged);
  }

  pause(): void {
    this.#paused = true;
    if (this.#connected) this.#stopReading();
  }

  resume(): void {
    this.#paused = false;
    if (this.#tls?.holds === true) queueMicrotask(() => this.#tellHeld());
    else this.read();
  }

  /** Reads from now on, unless the owner has paused or nothing more is to come. */
  read(): void {
    if (this.#reading || this.#paused || !this.#connected || this.#ended || this.#closing || this.#closeWanted) return;
    this.#startReading();
  }

  shutdown(): void {
    if (this.#shutdownWanted) return;
    this.#shutdownWanted = true;
    this.#settle();
  }

  close(): void {
    this.#closeWanted = true;
    // TLS reads on and drops it: with bytes unread (session tickets, say) the system would reset the connection.
    if (this.#tls === undefined) this.#stopReading();
    else this.#startReading();
    this.#settle();
  }

  reset(): void {
    if (this.#closing) return;
    this.#stopReading();
    this.#resetWanted = true;
    // libuv refuses a reset while a shutdown is under way; it follows when that is done.
    if (!this.#shutdownRunning) this.#release();
  }

  toDuplex(unread: Uint8Array): Duplex {
    this.#stopReading();
    this.#closing = true;
    this.handlers = noHandlers;
    this.#stream.owner = undefined;
    const socket = socketOf(this.#handle, this.#tls?.handle, this.#io.readBuffer);
    for (let held = this.#tls?.takeHeld(); held !== undefined; held = this.#tls?.takeHeld()) socket.push(held);
    if (this.#tls?.endHeld === true) socket.push(null);
    if (unread.length > 0) socket.unshift(Buffer.from(unread));
    // HTTP/2 takes what the handle reads, and does not start it.
    socket.read(0);
    return socket;
  }

  /** Speaks TLS as the server from now on; the handshake's outcome is told to the handlers. */
  secure(options: SecureOptions): void {
    if (this.#closing) return;
    this.#connected = false;
    this.#accepting = options;
    this.#setDeadline(options.handshakeTimeoutMs);
    const tls = HandleTls.accept(this.#io.binding, this.#handle, options);
    this.#speak(tls);
    if (options.received !== undefined) tls.handle.receive(options.received);
  }

  /** Starts to connect. */
  connect(target: ConnectOptions): void {
    const { address, port, timeoutMs } = target;
    const request = new this.#io.binding.ConnectRequest();
    request.oncomplete = callbacks.connected;
    const errno = address.includes(":")
      ? this.#handle.connect6(request, address, port)
      : this.#handle.connect(request, address, port);
    if (errno !== 0) return this.#fail(errno, "connect");
    this.#setDeadline(timeoutMs);
  }

  /** The time to connect, or to speak TLS, is over. */
  expire(): void {
    const { handshakeTimeoutMs } = this.#accepting ?? {};
    if (handshakeTimeoutMs !== undefined) this.#failWith(handshakeTimeout(this, handshakeTimeoutMs));
    else this.#failWith(connectTimeout(this.#peer, this.#target?.timeoutMs ?? 0));
  }

  connectDone(status: number): void {
    if (this.#closing) return;
    if (status !== 0) return this.#fail(status, "connect");
    if (this.#target?.preface !== undefined) this.#sendPreface(this.#target.preface);
    if (this.#closing) return;
    if (this.#target?.tls === undefined) return this.#opened();
    this.#speak(HandleTls.connect(this.#io.binding, this.#handle, this.#target.tls));
    this.#tls!.handle.start();
  }

  handshakeDone(): void {
    this.#tls?.handshakeDone();
    setImmediate(() => this.#verify());
  }

  tlsFailed(cause: Error | undefined): void {
    this.#failWith(tlsError(this, cause ?? new Error("TLS failed"), this.#connected ? "open" : "handshake"));
  }

  readDone(): void {
    if (this.#closing) return;
    const { state, readBytesIndex } = this.#io.binding;
    const count = state[readBytesIndex]!;
    if (this.#tls !== undefined && count !== 0) this.#decrypted(this.#tls, count);
    else if (count > 0) this.handlers.onData(this, this.#io.received(count));
    else if (count === UV_EOF) this.#tellEnd();
    else if (count < 0) this.#fail(count, "read");
  }

  writeDone(status: number): void {
    if (this.#closing) return;
    if (status < 0) return this.#fail(status, "write");
    this.#backlog?.writeDone(this.#io);
    this.#flush();
  }

  shutdownDone(): void {
    this.#shutdownRunning = false;
    if (this.#resetWanted && !this.#closing) this.#release();
  }

  closeDone(): void {
    const { handlers } = this;
    this.handlers = noHandlers;
    handlers.onClose(this, this.#error);
    this.#tls?.handle.destroySSL();
  }

  #setDeadline(timeoutMs: number): void {
    this.deadlineMs = this.#io.deadlines.nowMs + timeoutMs;
    this.#io.deadlines.add(this);
  }

  #speak(tls: HandleTls): void {
    this.#tls = tls;
    this.#stream = tls.handle;
    ownTls(tls.handle, this);
    tls.handle.useUserBuffer(this.#io.readBuffer);
    // A handshake does not wait for an owner who has paused.
    this.#startReading();
  }

  /** Before TLS and before what was written meanwhile; what the system does not take at once, libuv keeps in order. */
  #sendPreface(preface: Uint8Array): void {
    const bytes = Uint8Array.from(preface);
    const result = this.#handle.writeBuffer(null, bytes);
    if (typeof result !== "number") result.buffer = bytes;
    else if (result !== 0) this.#writeFailed(result);
  }

  /** The handshake is done: whether the peer may stay. */
  #verify(): void {
    const tls = this.#tls;
    if (this.#closing || tls?.isToBeVerified !== true) return;
    const refusal = tls.verify();
    if (refusal === undefined) this.#opened();
    else this.#failWith(tlsError(this, refusal, "handshake"));
  }

  #opened(): void {
    this.#io.deadlines.delete(this);
    this.#connected = true;
    // What was written before; a write of TLS that begins in `onConnect` goes on by itself.
    const waits = this.#backlog !== undefined;
    this.handlers.onConnect?.(this);
    if (waits) this.#flush();
    else this.#settle();
    if (this.#paused) this.#stopReading();
    else this.read();
  }

  /** One of several records that came at once, maybe after the one in which the owner paused, or ended it. */
  #decrypted(tls: HandleTls, count: number): void {
    this.#verify();
    if (this.#closing || this.#closeWanted) return;
    if (count < 0 && count !== UV_EOF) return this.#fail(count, this.#connected ? "read" : "secure");
    if (!this.#connected) return this.#failWith(handshakeCut(this));
    const waits = this.#paused || tls.holds;
    if (count > 0 && waits) tls.hold(this.#io.received(count));
    else if (count > 0) this.handlers.onData(this, this.#io.received(count));
    else if (waits) tls.endHeld = true;
    else this.#tellEnd();
  }

  /** What came while the owner had paused. */
  #tellHeld(): void {
    const tls = this.#tls!;
    while (!this.#paused && !this.#closing && !this.#closeWanted) {
      const bytes = tls.takeHeld();
      if (bytes === undefined) return tls.endHeld ? this.#tellEnd() : this.read();
      this.handlers.onData(this, bytes);
    }
  }

  #tellEnd(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stopReading();
    this.handlers.onEnd(this);
    this.#settle();
  }

  #writeFailed(errno: number): true {
    this.#fail(errno, "write");
    return true;
  }

  #awaitWrite(request: WriteRequest, bytes: Uint8Array): boolean {
    const isStaged = this.#tls === undefined;
    if (isStaged) this.#io.giveAwayStaged(bytes);
    const backlog = (this.#backlog ??= new HandleBacklog(this.#handle));
    const outcome = backlog.track(request, bytes, callbacks.written);
    if (outcome !== undefined) return outcome < 0 ? this.#writeFailed(outcome) : true;
    if (isStaged) backlog.lent = bytes;
    return backlog.takesMore();
  }

  /** Writes what waits; when nothing does any more, tells the owner and does what was put off until then. */
  #flush(): void {
    const backlog = this.#backlog;
    if (backlog !== undefined && !this.#closing) {
      if (backlog.isWriting) return;
      if (!backlog.empty) this.#writeOn(backlog);
      if (this.#closing || !backlog.empty) return;
      this.#backlog = undefined;
      if (backlog.drainWanted) this.handlers.onDrain(this);
    }
    this.#settle();
  }

  #writeOn(backlog: HandleBacklog): void {
    const bytes = backlog.take();
    const result = this.#stream.writeBuffer(null, bytes);
    if (result === 0) return;
    const outcome = typeof result === "number" ? result : backlog.track(result, bytes, callbacks.written);
    if (outcome !== undefined && outcome < 0) this.#writeFailed(outcome);
  }

  /** FIN, or the end, once everything written has gone out. */
  #settle(): void {
    if (this.#closing || this.#backlog !== undefined) return;
    const isOver = this.#closeWanted || (this.#ended && this.#shutdownWanted);
    // TCP says farewell by closing; TLS has words of its own (close_notify), without which all might seem cut off.
    if (isOver && (this.#tls === undefined || !this.#connected)) return this.#release();
    if ((isOver || this.#shutdownWanted) && this.#connected) this.#sendFin();
    if (isOver && this.#farewell === "said") this.#release();
  }

  #sendFin(): void {
    if (this.#farewell === "said") return;
    // Session tickets that are under way leave no room for it in this turn.
    if (this.#tls !== undefined && this.#tls.handle.writeQueueSize > 0 && this.#farewell === "unsaid") {
      this.#farewell = "put off";
      return void setImmediate(() => this.#settle());
    }
    this.#farewell = "said";
    const request = new this.#io.binding.ShutdownRequest();
    request.oncomplete = callbacks.shutDown;
    const errno = this.#stream.shutdown(request);
    this.#shutdownRunning = errno === 0;
    // Not connected any more: the reading side hears why.
    if (errno < 0 && errno !== UV_ENOTCONN) this.#fail(errno, "shutdown");
  }

  #startReading(): void {
    if (this.#reading || this.#closing) return;
    this.#reading = true;
    const errno = this.#stream.readStart();
    if (errno < 0) this.#fail(errno, "read");
  }

  #stopReading(): void {
    if (!this.#reading || this.#closing) return;
    this.#reading = false;
    this.#stream.readStop();
  }

  #fail(errno: number, operation: Operation): void {
    this.#failWith(systemError(operation, this.#peer, errno));
  }

  #failWith(error: TransportError): void {
    if (!this.#closing) this.#error = error;
    this.#release();
  }

  #release(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#io.deadlines.delete(this);
    if (this.#resetWanted && this.#handle.reset(callbacks.closed) === 0) return;
    this.#handle.close(callbacks.closed);
  }

  get #peer(): string {
    return hostPort(this.remoteAddress, this.remotePort);
  }
}
