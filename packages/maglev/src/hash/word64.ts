/**
 * A 64-bit unsigned integer in two 32-bit halves, changed in place.
 *
 * BigInt allocates at every step and is about thirty times slower; the hashes here are sequences of these operations
 * on a handful of preallocated words. The halves are stored as signed 32-bit integers, which V8 keeps unboxed.
 */
export class Word64 {
  high = 0;
  low = 0;

  set(high: number, low: number): this {
    this.high = high | 0;
    this.low = low | 0;
    return this;
  }

  add(high: number, low: number): this {
    const sum = (this.low + low) | 0;
    const carry = sum >>> 0 < low >>> 0 ? 1 : 0;
    this.low = sum;
    this.high = (this.high + high + carry) | 0;
    return this;
  }

  xor(high: number, low: number): this {
    this.high ^= high;
    this.low ^= low;
    return this;
  }

  /** Product modulo 2^64. The low halves are multiplied by the schoolbook method on 16-bit digits. */
  multiply(high: number, low: number): this {
    const a = this.low;
    const a0 = a & 0xffff;
    const a1 = a >>> 16;
    const b0 = low & 0xffff;
    const b1 = low >>> 16;
    // Both sums stay below 2^32, so that their upper digits survive the conversion to 32 bits.
    const middle = (Math.imul(a1, b0) + (Math.imul(a0, b0) >>> 16)) | 0;
    const cross = (Math.imul(a0, b1) + (middle & 0xffff)) | 0;
    const carry = (Math.imul(a1, b1) + (middle >>> 16) + (cross >>> 16)) | 0;
    this.high = (carry + Math.imul(this.high, low) + Math.imul(a, high)) | 0;
    this.low = Math.imul(a, low);
    return this;
  }

  /** Rotates left by `bits`, 1–63 except 32. */
  rotateLeft(bits: number): this {
    const shift = bits & 31;
    const swapped = bits >= 32;
    const high = swapped ? this.low : this.high;
    const low = swapped ? this.high : this.low;
    this.high = (high << shift) | (low >>> (32 - shift));
    this.low = (low << shift) | (high >>> (32 - shift));
    return this;
  }

  /** `this ^= this >>> bits`, the mixing step of every finalizer here; `bits` is 1–63. */
  xorShiftRight(bits: number): this {
    if (bits >= 32) {
      this.low ^= this.high >>> (bits - 32);
    } else {
      this.low ^= (this.low >>> bits) | (this.high << (32 - bits));
      this.high ^= this.high >>> bits;
    }
    return this;
  }

  /**
   * Remainder of the unsigned value. Exact for a `modulus` up to 2^24: every intermediate stays below 2^53.
   */
  modulo(modulus: number): number {
    const high = (this.high >>> 0) % modulus;
    return (high * (0x1_0000_0000 % modulus) + (this.low >>> 0)) % modulus;
  }

  toBigInt(): bigint {
    return (BigInt(this.high >>> 0) << 32n) | BigInt(this.low >>> 0);
  }
}

/** The little-endian 32-bit word at `offset`, as a signed integer. */
export function readWord(bytes: Uint8Array, offset: number): number {
  return (
    (bytes[offset] as number) |
    ((bytes[offset + 1] as number) << 8) |
    ((bytes[offset + 2] as number) << 16) |
    ((bytes[offset + 3] as number) << 24)
  );
}
