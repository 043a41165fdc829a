import type { Socket } from "node:net";

import type { ConnectDeadlines, Deadline } from "./connect-deadlines.ts";
import { connectTimeout, hostPort, unmapIpv4, wrapError } from "./system-error.ts";
import {
  type ConnectOptions,
  type Connection,
  type ConnectionHandlers,
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

/** One connection on a `net.Socket`. */
export class StreamConnection implements Connection, Deadline {
  handlers: ConnectionHandlers = noHandlers;
  readonly tls: TlsFacts | undefined = undefined;
  readonly deadlineMs: number;
  readonly #socket: Socket;
  readonly #io: StreamIo;
  readonly #target: ConnectOptions | undefined;
  #connected: boolean;
  #paused = false;
  #endHeld = false;
  #closing = false;
  #error: TransportError | undefined;

  /** @param target where the socket connects to; absent for an accepted one. */
  constructor(socket: Socket, io: StreamIo, target?: ConnectOptions) {
    this.#socket = socket;
    this.#io = io;
    this.#target = target;
    this.#connected = target === undefined;
    this.deadlineMs = target === undefined ? Infinity : io.deadlines.nowMs + target.timeoutMs;
    if (target !== undefined) io.deadlines.add(this);
    this.#listen();
  }

  get remoteAddress(): string {
    return this.#target?.address ?? unmapIpv4(this.#socket.remoteAddress ?? "0.0.0.0");
  }

  get remotePort(): number {
    return this.#target?.port ?? this.#socket.remotePort ?? 0;
  }

  get localAddress(): string {
    return unmapIpv4(this.#socket.localAddress ?? "0.0.0.0");
  }

  get localPort(): number {
    return this.#socket.localPort ?? 0;
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
    if (this.#endHeld) queueMicrotask(() => this.#ended());
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
    this.#closing = true;
    const socket = this.#socket;
    // While FIN is being sent libuv refuses a reset, which `resetAndDestroy` does not notice.
    const finIsGoingOut = socket.writableEnded && socket.writableLength === 0 && !socket.writableFinished;
    if (!this.#connected) socket.destroy();
    else if (finIsGoingOut) socket.once("finish", () => socket.resetAndDestroy());
    else socket.resetAndDestroy();
  }

  toDuplex(): never {
    throw new Error("Cannot make a stream of this connection: not built yet");
  }

  /** The connect timeout is over. */
  expire(): void {
    this.#error = connectTimeout(this.#peer, this.#target?.timeoutMs ?? 0);
    this.#closing = true;
    this.#socket.destroy();
  }

  #listen(): void {
    const socket = this.#socket;
    socket.on("connect", () => this.#opened());
    socket.on("data", (bytes: Buffer) => this.#received(bytes));
    socket.on("end", () => this.#ended());
    socket.on("drain", () => this.#drained());
    socket.on("error", (cause) => this.#failed(cause));
    socket.on("close", () => this.#closed());
    // A listener for "data" sets the stream flowing.
    socket.pause();
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
    this.#endHeld = this.#paused;
    if (!this.#paused) this.handlers.onEnd(this);
  }

  #drained(): void {
    if (!this.#closing) this.handlers.onDrain(this);
  }

  #failed(cause: NodeJS.ErrnoException): void {
    if (this.#closing) return;
    this.#error ??= wrapError(this.#connected ? "read" : "connect", this.#peer, cause);
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
