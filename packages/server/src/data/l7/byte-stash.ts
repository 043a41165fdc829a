const FIRST_CAPACITY = 1024;

/** Bytes that came too early or in pieces, kept in one run until they can be used. Copying them costs O(1) a byte. */
export class ByteStash {
  /** Holds the bytes at `[start, end)`; another buffer after an {@link append}. */
  bytes: Uint8Array = EMPTY;
  start = 0;
  end = 0;

  get isEmpty(): boolean {
    return this.start === this.end;
  }

  /** Adds a copy of `bytes[start, end)`. */
  append(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (this.end + length > this.bytes.length) this.#makeRoom(length);
    this.bytes.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), this.end);
    this.end += length;
  }

  /** The first bytes, up to the offset `at`, are used up. When nothing is left, the memory is given back. */
  consume(at: number): void {
    this.start = at;
    if (this.isEmpty) this.clear();
  }

  clear(): void {
    this.bytes = EMPTY;
    this.start = this.end = 0;
  }

  #makeRoom(length: number): void {
    const kept = this.end - this.start;
    let capacity = Math.max(this.bytes.length, FIRST_CAPACITY);
    while (capacity < kept + length) capacity *= 2;
    const larger = Buffer.allocUnsafeSlow(capacity);
    larger.set(this.bytes.subarray(this.start, this.end));
    this.bytes = larger;
    this.start = 0;
    this.end = kept;
  }
}

const EMPTY: Uint8Array = new Uint8Array(0);
