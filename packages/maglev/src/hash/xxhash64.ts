import { bytesOf } from "./text.ts";
import type { HashInput } from "./text.ts";
import { readWord, Word64 } from "./word64.ts";

// The five primes of the xxHash specification, each as its high and low half.
const P1H = 0x9e3779b1;
const P1L = 0x85ebca87;
const P2H = 0xc2b2ae3d;
const P2L = 0x27d4eb4f;
const P3H = 0x165667b1;
const P3L = 0x9e3779f9;
const P4H = 0x85ebca77;
const P4L = 0xc2b2ae63;
const P5H = 0x27d4eb2f;
const P5L = 0x165667c5;

const STRIPE_BYTES = 32;

const lanes = [new Word64(), new Word64(), new Word64(), new Word64()] as const;
const lane = new Word64();

/** One round: `accumulator = rotl(accumulator + input × P2, 31) × P1`. */
function round(accumulator: Word64, high: number, low: number): void {
  lane.set(high, low).multiply(P2H, P2L);
  accumulator.add(lane.high, lane.low).rotateLeft(31).multiply(P1H, P1L);
}

/** Folds `round(0, high:low)` into the hash. */
function fold(hash: Word64, high: number, low: number): void {
  lane.set(high, low).multiply(P2H, P2L).rotateLeft(31).multiply(P1H, P1L);
  hash.xor(lane.high, lane.low);
}

function consumeStripes(bytes: Uint8Array, seed: number, hash: Word64): number {
  lanes[0].set(P1H, P1L).add(P2H, P2L).add(0, seed);
  lanes[1].set(P2H, P2L).add(0, seed);
  lanes[2].set(0, seed);
  // seed − P1, as the sum with the two's complement of P1.
  lanes[3].set(~P1H, ~P1L).add(0, 1).add(0, seed);
  let offset = 0;
  for (; offset + STRIPE_BYTES <= bytes.length; offset += STRIPE_BYTES) {
    for (let i = 0; i < 4; i++) {
      const at = offset + i * 8;
      round(lanes[i] as Word64, readWord(bytes, at + 4), readWord(bytes, at));
    }
  }
  hash.set(0, 0);
  const rotations = [1, 7, 12, 18] as const;
  for (let i = 0; i < 4; i++) {
    const source = lanes[i] as Word64;
    lane.set(source.high, source.low).rotateLeft(rotations[i] as number);
    hash.add(lane.high, lane.low);
  }
  for (const source of lanes) {
    fold(hash, source.high, source.low);
    hash.multiply(P1H, P1L).add(P4H, P4L);
  }
  return offset;
}

function consumeTail(bytes: Uint8Array, start: number, hash: Word64): void {
  let offset = start;
  for (; offset + 8 <= bytes.length; offset += 8) {
    fold(hash, readWord(bytes, offset + 4), readWord(bytes, offset));
    hash.rotateLeft(27).multiply(P1H, P1L).add(P4H, P4L);
  }
  if (offset + 4 <= bytes.length) {
    lane.set(0, readWord(bytes, offset)).multiply(P1H, P1L);
    hash.xor(lane.high, lane.low).rotateLeft(23).multiply(P2H, P2L).add(P3H, P3L);
    offset += 4;
  }
  for (; offset < bytes.length; offset++) {
    lane.set(0, bytes[offset] as number).multiply(P5H, P5L);
    hash.xor(lane.high, lane.low).rotateLeft(11).multiply(P1H, P1L);
  }
}

/** xxHash64 of `bytes` into `hash`; nothing is allocated. `seed` is an unsigned 32-bit integer. */
export function xxHash64Into(bytes: Uint8Array, seed: number, hash: Word64): Word64 {
  let offset = 0;
  if (bytes.length >= STRIPE_BYTES) offset = consumeStripes(bytes, seed, hash);
  else hash.set(P5H, P5L).add(0, seed);
  hash.add(0, bytes.length);
  consumeTail(bytes, offset, hash);
  return hash.xorShiftRight(33).multiply(P2H, P2L).xorShiftRight(29).multiply(P3H, P3L).xorShiftRight(32);
}

/**
 * xxHash64, the 64-bit hash of the xxHash specification (https://github.com/Cyan4973/xxHash), bit for bit.
 *
 * @param input bytes, or text hashed as UTF-8
 * @param seed unsigned 32-bit seed, default 0
 * @returns the unsigned 64-bit hash; the computation itself uses no BigInt
 */
export function xxHash64(input: HashInput, seed = 0): bigint {
  return xxHash64Into(bytesOf(input), seed, new Word64()).toBigInt();
}
