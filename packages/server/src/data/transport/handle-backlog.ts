import type { TcpHandle, WriteRequest } from "./tcp-binding.ts";

/** `write` answers false while more than this waits for the kernel. */
const HIGH_WATER_BYTES = 16_384;

/** Bytes of one connection that the kernel has not taken: a write under way and copies of what was written after it. */
export class HandleBacklog {
  readonly #handle: TcpHandle;
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #writing = false;
  /** The owner was told to stop and waits to hear that everything has gone out. */
  drainWanted = false;
  /** What the write under way is read from, when that memory is to be taken back after it. */
  lent: Uint8Array | undefined;

  constructor(handle: TcpHandle) {
    this.#handle = handle;
  }

  get bytes(): number {
    return this.#queuedBytes + (this.#writing ? this.#handle.writeQueueSize : 0);
  }

  /** Otherwise the owner is to be told when everything has gone out. */
  takesMore(): boolean {
    if (this.bytes <= HIGH_WATER_BYTES) return true;
    this.drainWanted = true;
    return false;
  }

  push(copy: Buffer): void {
    this.#queue.push(copy);
    this.#queuedBytes += copy.length;
  }

  /**
   * Watches over a write that the kernel did not take whole.
   * @param onDone called with 0 or a negative errno, later.
   * @returns undefined, or the outcome when the write is over already.
   */
  track(request: WriteRequest, bytes: Uint8Array, onDone: WriteRequest["oncomplete"]): number | undefined {
    if (request.writeStatus !== null) return request.writeStatus;
    request.handle = this.#handle;
    request.buffer = bytes;
    request.oncomplete = onDone;
    this.#writing = true;
    return undefined;
  }

  /** The write under way is over, and what was lent to it goes back; the next one may start. */
  writeDone(lender: { takeBack(bytes: Uint8Array): void }): void {
    this.#writing = false;
    if (this.lent !== undefined) lender.takeBack(this.lent);
    this.lent = undefined;
  }

  /** Its end is yet to come. Another write must wait for it: Node's TLS handle takes one at a time and aborts at a second. */
  get isWriting(): boolean {
    return this.#writing;
  }

  /** Takes everything that waits, as one piece. */
  take(): Buffer {
    const bytes = this.#queue.length === 1 ? this.#queue[0]! : Buffer.concat(this.#queue);
    this.#queue = [];
    this.#queuedBytes = 0;
    return bytes;
  }

  /** Nothing waits any more, and nothing is under way. */
  get empty(): boolean {
    return !this.#writing && this.#queuedBytes === 0;
  }
}
