import type { Socket } from "node:net";
import { constants } from "node:os";
import type { Duplex } from "node:stream";

import type { Deadline } from "./connect-deadlines.ts";
import { HandleBacklog } from "./handle-backlog.ts";
import type { HandleIo } from "./handle-io.ts";
import { socketOf } from "./handle-socket.ts";
import { type Operation, connectTimeout, hostPort, systemError, unmapIpv4 } from "./system-error.ts";
import type { SocketName, TcpHandle, WriteRequest } from "./tcp-binding.ts";
import {
  type ConnectOptions,
  type Connection,
  type ConnectionHandlers,
  type TlsFacts,
  type TransportError,
  noHandlers,
} from "./transport.ts";

/** `write` answers false while more than this waits for the kernel. */
const HIGH_WATER_BYTES = 16_384;

const UV_EOF = -4095;
const UV_ENOTCONN = -constants.errno.ENOTCONN;

/** One connection on a TCP handle of Node. */
export class HandleConnection implements Connection, Deadline {
  handlers: ConnectionHandlers = noHandlers;
  readonly tls: TlsFacts | undefined = undefined;
  deadlineMs = Infinity;
  readonly #io: HandleIo;
  readonly #handle: TcpHandle;
  readonly #target: ConnectOptions | undefined;
  #remote: SocketName | undefined;
  #backlog: HandleBacklog | undefined;
  #error: TransportError | undefined;
  #connected: boolean;
  #paused = false;
  #reading = false;
  /** The peer's FIN was read. */
  #ended = false;
  /** The owner wants FIN sent, or has had it sent. */
  #shutdownWanted = false;
  #shutdownRunning = false;
  #closeWanted = false;
  #resetWanted = false;
  /** The handle is being closed; only `onClose` is still to come. */
  #closing = false;

  /** @param target where to connect to; absent for an accepted connection. */
  constructor(io: HandleIo, handle: TcpHandle, target?: ConnectOptions) {
    this.#io = io;
    this.#handle = handle;
    this.#target = target;
    this.#connected = target === undefined;
    handle.owner = this;
    handle.onread = onRead;
    handle.useUserBuffer(io.readBuffer);
    handle.setNoDelay(true);
  }

  get remoteAddress(): string {
    return (this.#remote ??= this.#askRemote()).address;
  }

  get remotePort(): number {
    return (this.#remote ??= this.#askRemote()).port;
  }

  get localAddress(): string {
    return nameOf(this.#closing ? undefined : (out) => this.#handle.getsockname(out)).address;
  }

  get localPort(): number {
    return nameOf(this.#closing ? undefined : (out) => this.#handle.getsockname(out)).port;
  }

  get pendingBytes(): number {
    return this.#closing || this.#backlog === undefined ? 0 : this.#backlog.bytes;
  }

  write(bytes: Uint8Array): boolean {
    if (this.#closing || this.#closeWanted || this.#shutdownWanted) return true;
    if (!this.#connected || this.#backlog !== undefined) {
      this.#backlog ??= new HandleBacklog(this.#handle);
      this.#backlog.push(Buffer.from(bytes));
      return this.#belowHighWater(this.#backlog);
    }
    const staged = this.#io.stage(bytes);
    const result = this.#handle.writeBuffer(null, staged);
    if (result === 0) return true;
    return typeof result === "number" ? this.#writeFailed(result) : this.#awaitWrite(result, staged);
  }

  pause(): void {
    this.#paused = true;
    this.#stopReading();
  }

  resume(): void {
    this.#paused = false;
    this.read();
  }

  /** Reads from now on, unless the owner has paused or nothing more is to come. */
  read(): void {
    if (this.#reading || this.#paused || !this.#connected || this.#ended || this.#closing || this.#closeWanted) return;
    this.#reading = true;
    const errno = this.#handle.readStart();
    if (errno < 0) this.#fail(errno, "read");
  }

  shutdown(): void {
    if (this.#shutdownWanted) return;
    this.#shutdownWanted = true;
    this.#settle();
  }

  close(): void {
    this.#closeWanted = true;
    this.#stopReading();
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
    const socket = this.toSocket();
    if (unread.length > 0) socket.unshift(Buffer.from(unread));
    // HTTP/2 takes what the handle reads, and does not start it.
    socket.read(0);
    return socket;
  }

  /** Gives the handle away to a socket of Node. */
  toSocket(): Socket {
    this.#stopReading();
    this.#closing = true;
    this.handlers = noHandlers;
    this.#handle.owner = undefined;
    return socketOf(this.#handle, this.#io.readBuffer);
  }

  /** Starts to connect. */
  connect(target: ConnectOptions): void {
    const { address, port, timeoutMs } = target;
    const { binding, deadlines } = this.#io;
    const request = new binding.ConnectRequest();
    request.oncomplete = onConnected;
    const errno = address.includes(":")
      ? this.#handle.connect6(request, address, port)
      : this.#handle.connect(request, address, port);
    if (errno !== 0) return this.#fail(errno, "connect");
    this.deadlineMs = deadlines.nowMs + timeoutMs;
    deadlines.add(this);
  }

  /** The connect timeout is over. */
  expire(): void {
    this.#error = connectTimeout(this.#peer, this.#target?.timeoutMs ?? 0);
    this.#release();
  }

  /** For the handle's callbacks only: the outcome of `connect`. */
  connectDone(status: number): void {
    if (this.#closing) return;
    this.#io.deadlines.delete(this);
    if (status !== 0) return this.#fail(status, "connect");
    this.#connected = true;
    this.handlers.onConnect?.(this);
    this.#flush();
    this.read();
  }

  /** For the handle's callbacks only: something was read, or the peer's end. */
  readDone(): void {
    if (this.#closing) return;
    const { state, readBytesIndex } = this.#io.binding;
    const count = state[readBytesIndex]!;
    if (count > 0) {
      this.handlers.onData(this, this.#io.received(count));
    } else if (count === UV_EOF) {
      this.#ended = true;
      this.#stopReading();
      this.handlers.onEnd(this);
      this.#settle();
    } else if (count < 0) {
      this.#fail(count, "read");
    }
  }

  /** For the handle's callbacks only: a write that took time is over. */
  writeDone(status: number): void {
    if (this.#closing) return;
    if (status < 0) return this.#fail(status, "write");
    this.#backlog?.writeDone();
    this.#flush();
  }

  /** For the handle's callbacks only: FIN was sent. */
  shutdownDone(): void {
    this.#shutdownRunning = false;
    if (this.#resetWanted && !this.#closing) this.#release();
  }

  /** For the handle's callbacks only: the socket is gone. */
  closeDone(): void {
    const { handlers } = this;
    this.handlers = noHandlers;
    handlers.onClose(this, this.#error);
  }

  #belowHighWater(backlog: HandleBacklog): boolean {
    if (backlog.bytes <= HIGH_WATER_BYTES) return true;
    backlog.drainWanted = true;
    return false;
  }

  #writeFailed(errno: number): true {
    this.#fail(errno, "write");
    return true;
  }

  #awaitWrite(request: WriteRequest, bytes: Buffer): boolean {
    this.#io.giveAwayStaged();
    const backlog = (this.#backlog ??= new HandleBacklog(this.#handle));
    const outcome = backlog.track(request, bytes, onWritten);
    if (outcome === undefined) return this.#belowHighWater(backlog);
    return outcome < 0 ? this.#writeFailed(outcome) : true;
  }

  /** Writes what waits; when nothing does any more, tells the owner and does what was put off until then. */
  #flush(): void {
    const backlog = this.#backlog;
    if (backlog !== undefined && !this.#closing) {
      if (!backlog.empty) this.#writeOn(backlog);
      if (this.#closing || !backlog.empty) return;
      this.#backlog = undefined;
      if (backlog.drainWanted) this.handlers.onDrain(this);
    }
    this.#settle();
  }

  #writeOn(backlog: HandleBacklog): void {
    const bytes = backlog.take();
    const result = this.#handle.writeBuffer(null, bytes);
    if (result === 0) return;
    const outcome = typeof result === "number" ? result : backlog.track(result, bytes, onWritten);
    if (outcome !== undefined && outcome < 0) this.#writeFailed(outcome);
  }

  /** FIN, or the end, once everything written has gone out. */
  #settle(): void {
    if (this.#closing || this.#backlog !== undefined) return;
    if (this.#closeWanted || (this.#ended && this.#shutdownWanted)) this.#release();
    else if (this.#shutdownWanted && this.#connected) this.#sendFin();
  }

  #sendFin(): void {
    const request = new this.#io.binding.ShutdownRequest();
    request.oncomplete = onShutdown;
    const errno = this.#handle.shutdown(request);
    this.#shutdownRunning = errno === 0;
    // Not connected any more: the reading side hears why.
    if (errno < 0 && errno !== UV_ENOTCONN) this.#fail(errno, "shutdown");
  }

  #stopReading(): void {
    if (!this.#reading || this.#closing) return;
    this.#reading = false;
    this.#handle.readStop();
  }

  #fail(errno: number, operation: Operation): void {
    this.#error = systemError(operation, this.#peer, errno);
    this.#release();
  }

  #release(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#io.deadlines.delete(this);
    if (this.#resetWanted && this.#handle.reset(onClosed) === 0) return;
    this.#handle.close(onClosed);
  }

  get #peer(): string {
    return hostPort(this.remoteAddress, this.remotePort);
  }

  #askRemote(): SocketName {
    return this.#target ?? nameOf(this.#closing ? undefined : (out) => this.#handle.getpeername(out));
  }
}

function nameOf(ask: ((out: Partial<SocketName>) => number) | undefined): SocketName {
  const name = { address: "", port: 0 };
  if (ask === undefined || ask(name) !== 0) return { address: "0.0.0.0", port: 0 };
  return { address: unmapIpv4(name.address), port: name.port };
}

function ownerOf(handle: TcpHandle): HandleConnection {
  return handle.owner as HandleConnection;
}

function onRead(this: TcpHandle): void {
  ownerOf(this).readDone();
}

function onConnected(status: number, handle: TcpHandle): void {
  ownerOf(handle).connectDone(status);
}

function onWritten(this: WriteRequest, status: number): void {
  ownerOf(this.handle).writeDone(status);
}

function onShutdown(_status: number, handle: TcpHandle): void {
  ownerOf(handle).shutdownDone();
}

function onClosed(this: TcpHandle): void {
  ownerOf(this).closeDone();
}
