import { bytesOf } from "./text.ts";
import type { HashInput } from "./text.ts";
import { readWord, Word64 } from "./word64.ts";

const C1H = 0x87c37b91;
const C1L = 0x114253d5;
const C2H = 0x4cf5ad43;
const C2L = 0x2745937f;
const BLOCK_BYTES = 16;

const block = new Word64();
const padded = new Uint8Array(BLOCK_BYTES);

function mixFirst(h1: Word64, high: number, low: number): void {
  block.set(high, low).multiply(C1H, C1L).rotateLeft(31).multiply(C2H, C2L);
  h1.xor(block.high, block.low);
}

function mixSecond(h2: Word64, high: number, low: number): void {
  block.set(high, low).multiply(C2H, C2L).rotateLeft(33).multiply(C1H, C1L);
  h2.xor(block.high, block.low);
}

function finalize(hash: Word64): void {
  hash.xorShiftRight(33).multiply(0xff51afd7, 0xed558ccd);
  hash.xorShiftRight(33).multiply(0xc4ceb9fe, 0x1a85ec53).xorShiftRight(33);
}

function consumeTail(bytes: Uint8Array, start: number, h1: Word64, h2: Word64): void {
  if (start === bytes.length) return;
  padded.fill(0);
  for (let i = start; i < bytes.length; i++) padded[i - start] = bytes[i] as number;
  if (bytes.length - start > 8) mixSecond(h2, readWord(padded, 12), readWord(padded, 8));
  mixFirst(h1, readWord(padded, 4), readWord(padded, 0));
}

/** MurmurHash3 x64 128 of `bytes` into `h1` and `h2`; nothing is allocated. `seed` is an unsigned 32-bit integer. */
export function murmur3Into(bytes: Uint8Array, seed: number, h1: Word64, h2: Word64): void {
  h1.set(0, seed);
  h2.set(0, seed);
  let offset = 0;
  for (; offset + BLOCK_BYTES <= bytes.length; offset += BLOCK_BYTES) {
    mixFirst(h1, readWord(bytes, offset + 4), readWord(bytes, offset));
    h1.rotateLeft(27).add(h2.high, h2.low).multiply(0, 5).add(0, 0x52dce729);
    mixSecond(h2, readWord(bytes, offset + 12), readWord(bytes, offset + 8));
    h2.rotateLeft(31).add(h1.high, h1.low).multiply(0, 5).add(0, 0x38495ab5);
  }
  consumeTail(bytes, offset, h1, h2);
  h1.xor(0, bytes.length);
  h2.xor(0, bytes.length);
  h1.add(h2.high, h2.low);
  h2.add(h1.high, h1.low);
  finalize(h1);
  finalize(h2);
  h1.add(h2.high, h2.low);
  h2.add(h1.high, h1.low);
}

/** The two unsigned 64-bit halves of a 128-bit hash. */
export interface Hash128 {
  readonly first: bigint;
  readonly second: bigint;
}

/**
 * MurmurHash3's x64 128-bit variant (Austin Appleby, public domain), which Cilium and Katran derive their
 * permutations from.
 *
 * @param input bytes, or text hashed as UTF-8
 * @param seed unsigned 32-bit seed, default 0
 */
export function murmur3(input: HashInput, seed = 0): Hash128 {
  const h1 = new Word64();
  const h2 = new Word64();
  murmur3Into(bytesOf(input), seed, h1, h2);
  return { first: h1.toBigInt(), second: h2.toBigInt() };
}
