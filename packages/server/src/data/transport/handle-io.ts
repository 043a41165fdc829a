import type { ConnectDeadlines } from "./connect-deadlines.ts";
import type { TcpBinding } from "./tcp-binding.ts";

/** The most that one read of a connection that we opened brings. */
const BUFFER_BYTES = 65_536;
/**
 * The most that one read of an accepted connection brings. It is also the most that is held of an upload whose backend
 * is slow, so it is kept small; of twice as much a byte costs a tenth less.
 */
const ACCEPTED_BYTES = 32_768;
/** Sizes of staging buffers: one that is given away should not be much larger than what it holds. */
const STAGING_BYTES = [2048, 8192, ACCEPTED_BYTES, BUFFER_BYTES];
/** Staging buffers of each size that are kept for the next one. */
const MAX_FREE = 16;

/** What the handle connections of one thread share. */
export class HandleIo {
  readonly binding: TcpBinding;
  readonly deadlines: ConnectDeadlines;
  /** Every read of every connection lands here: a read and its `onData` are one uninterrupted step. */
  readonly readBuffer: Buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  /** Its beginning, for accepted connections. */
  readonly acceptedBuffer: Buffer = this.readBuffer.subarray(0, ACCEPTED_BYTES);
  readonly #free: readonly Buffer[][] = STAGING_BYTES.map(() => []);
  readonly #staging: Buffer[] = STAGING_BYTES.map((bytes) => Buffer.allocUnsafeSlow(bytes));

  constructor(binding: TcpBinding, deadlines: ConnectDeadlines) {
    this.binding = binding;
    this.deadlines = deadlines;
  }

  /** The first bytes of the read buffer. */
  received(count: number): Uint8Array {
    return count === BUFFER_BYTES ? this.readBuffer : this.readBuffer.subarray(0, count);
  }

  /**
   * A copy that stays as it is until the next call. A write has to be given one: what the kernel does not take at once
   * is sent later from the same memory, and the view it came from is reused meanwhile.
   */
  stage(bytes: Uint8Array): Buffer {
    const index = stagingFor(bytes.length);
    if (index < 0) return Buffer.from(bytes);
    const staging = this.#staging[index] as Buffer;
    staging.set(bytes);
    return staging.subarray(0, bytes.length);
  }

  /** These bytes were staged last and are being sent: their memory is given away, until {@link takeBack}. */
  giveAwayStaged(bytes: Uint8Array): void {
    const index = stagingFor(bytes.length);
    if (index < 0) return;
    this.#staging[index] = this.#free[index]?.pop() ?? Buffer.allocUnsafeSlow(STAGING_BYTES[index] as number);
  }

  /** What was given away has been sent: the next one gets the same memory. Left to the collector it would pile up. */
  takeBack({ buffer, length }: Uint8Array): void {
    const free = this.#free[stagingFor(length)];
    if (free !== undefined && free.length < MAX_FREE) free.push(Buffer.from(buffer));
  }
}

/** Index of the smallest staging buffer that so much fits into; -1 for none. */
function stagingFor(bytes: number): number {
  for (let index = 0; index < STAGING_BYTES.length; index++) if (bytes <= STAGING_BYTES[index]!) return index;
  return -1;
}
