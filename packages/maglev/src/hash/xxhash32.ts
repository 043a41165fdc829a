import { bytesOf } from "./text.ts";
import type { HashInput } from "./text.ts";
import { readWord } from "./word64.ts";

const P1 = 0x9e3779b1;
const P2 = 0x85ebca77;
const P3 = 0xc2b2ae3d;
const P4 = 0x27d4eb2f;
const P5 = 0x165667b1;
const STRIPE_BYTES = 16;

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

function round(accumulator: number, input: number): number {
  return Math.imul(rotateLeft((accumulator + Math.imul(input, P2)) | 0, 13), P1);
}

function consumeStripes(bytes: Uint8Array, seed: number): number {
  let a = (seed + P1 + P2) | 0;
  let b = (seed + P2) | 0;
  let c = seed | 0;
  let d = (seed - P1) | 0;
  for (let offset = 0; offset + STRIPE_BYTES <= bytes.length; offset += STRIPE_BYTES) {
    a = round(a, readWord(bytes, offset));
    b = round(b, readWord(bytes, offset + 4));
    c = round(c, readWord(bytes, offset + 8));
    d = round(d, readWord(bytes, offset + 12));
  }
  return (rotateLeft(a, 1) + rotateLeft(b, 7) + rotateLeft(c, 12) + rotateLeft(d, 18)) | 0;
}

/**
 * xxHash32, the 32-bit hash of the xxHash specification, bit for bit. Fit for hashing header and cookie values into
 * a table; for packet flows that the kernel must hash alike use {@link jhash}.
 *
 * @param input bytes, or text hashed as UTF-8
 * @param seed unsigned 32-bit seed, default 0
 * @returns an unsigned 32-bit integer
 */
export function xxHash32(input: HashInput, seed = 0): number {
  const bytes = bytesOf(input);
  let hash = bytes.length >= STRIPE_BYTES ? consumeStripes(bytes, seed) : (seed + P5) | 0;
  hash = (hash + bytes.length) | 0;
  let offset = bytes.length - (bytes.length % STRIPE_BYTES);
  for (; offset + 4 <= bytes.length; offset += 4) {
    hash = Math.imul(rotateLeft((hash + Math.imul(readWord(bytes, offset), P3)) | 0, 17), P4);
  }
  for (; offset < bytes.length; offset++) {
    hash = Math.imul(rotateLeft((hash + Math.imul(bytes[offset] as number, P5)) | 0, 11), P1);
  }
  hash = Math.imul(hash ^ (hash >>> 15), P2);
  hash = Math.imul(hash ^ (hash >>> 13), P3);
  return (hash ^ (hash >>> 16)) >>> 0;
}
