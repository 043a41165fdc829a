import type { ConnectDeadlines } from "./connect-deadlines.ts";
import type { TcpBinding } from "./tcp-binding.ts";

/** The most that one read brings. */
const BUFFER_BYTES = 65_536;

/** What the handle connections of one thread share. */
export class HandleIo {
  readonly binding: TcpBinding;
  readonly deadlines: ConnectDeadlines;
  /** Every read of every connection lands here: a read and its `onData` are one uninterrupted step. */
  readonly readBuffer: Buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #staging: Buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);

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
    if (bytes.length > BUFFER_BYTES) return Buffer.from(bytes);
    this.#staging.set(bytes);
    return this.#staging.subarray(0, bytes.length);
  }

  /** What was staged last is still being sent: that memory is given away. */
  giveAwayStaged(): void {
    this.#staging = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  }
}
