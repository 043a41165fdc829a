/** Shorter copies are quicker byte by byte than with a view made for `set`. */
const SHORT_COPY = 48;

/** Writes one piece after the other into a buffer. The caller has seen to it that everything fits. */
export class ByteSink {
  #out: Uint8Array = new Uint8Array(0);
  /** Offset of the next byte. */
  at = 0;

  /** Starts at an offset of a buffer. */
  open(out: Uint8Array, at: number): void {
    this.#out = out;
    this.at = at;
  }

  put(bytes: Uint8Array): void {
    this.copy(bytes, 0, bytes.length);
  }

  putByte(byte: number): void {
    this.#out[this.at++] = byte;
  }

  /** Writes `bytes[start, end)`. */
  copy(bytes: Uint8Array, start: number, end: number): void {
    const out = this.#out;
    let at = this.at;
    if (end - start > SHORT_COPY) {
      out.set(bytes.subarray(start, end), at);
      this.at = at + end - start;
      return;
    }
    for (let i = start; i < end; i++) out[at++] = bytes[i] as number;
    this.at = at;
  }
}
