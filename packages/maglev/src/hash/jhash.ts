import { readWord } from "./word64.ts";

/** `JHASH_INITVAL` of the Linux kernel (include/linux/jhash.h). */
const INITIAL_VALUE = 0xdeadbeef;
const BLOCK_BYTES = 12;

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

/** The little-endian word at `offset` of which only the bytes before `end` exist; the others are zero. */
function readPartialWord(bytes: Uint8Array, offset: number, end: number): number {
  if (offset + 4 <= end) return readWord(bytes, offset);
  let word = 0;
  for (let i = offset; i < end; i++) word |= (bytes[i] as number) << ((i - offset) * 8);
  return word;
}

/** Bob Jenkins' final mix of three words into one. */
function finalMix(x: number, y: number, z: number): number {
  let a = x;
  let b = y;
  let c = z;
  c = ((c ^ b) - rotateLeft(b, 14)) | 0;
  a = ((a ^ c) - rotateLeft(c, 11)) | 0;
  b = ((b ^ a) - rotateLeft(a, 25)) | 0;
  c = ((c ^ b) - rotateLeft(b, 16)) | 0;
  a = ((a ^ c) - rotateLeft(c, 4)) | 0;
  b = ((b ^ a) - rotateLeft(a, 14)) | 0;
  c = ((c ^ b) - rotateLeft(b, 24)) | 0;
  return c >>> 0;
}

/**
 * The Linux kernel's `jhash` (Bob Jenkins' lookup3, `hashlittle`), which nftables' `jhash` expression computes.
 * Both data planes hash flows with it, so that user space and kernel choose the same slot.
 *
 * @param bytes the key: fields in network byte order, each padded to four bytes, as nftables lays them out
 * @param seed unsigned 32-bit seed (`seed` of the nft expression), default 0
 * @param length how many of `bytes` belong to the key, default all: lets a caller reuse one larger buffer
 * @returns an unsigned 32-bit integer
 */
export function jhash(bytes: Uint8Array, seed = 0, length = bytes.length): number {
  let a = (INITIAL_VALUE + length + seed) | 0;
  let b = a;
  let c = a;
  let offset = 0;
  // A block is mixed only if something follows it: the last 1–12 bytes belong to the final mix.
  while (length - offset > BLOCK_BYTES) {
    a = (a + readWord(bytes, offset)) | 0;
    b = (b + readWord(bytes, offset + 4)) | 0;
    c = (c + readWord(bytes, offset + 8)) | 0;
    a = (a - c) ^ rotateLeft(c, 4);
    c = (c + b) | 0;
    b = (b - a) ^ rotateLeft(a, 6);
    a = (a + c) | 0;
    c = (c - b) ^ rotateLeft(b, 8);
    b = (b + a) | 0;
    a = (a - c) ^ rotateLeft(c, 16);
    c = (c + b) | 0;
    b = (b - a) ^ rotateLeft(a, 19);
    a = (a + c) | 0;
    c = (c - b) ^ rotateLeft(b, 4);
    b = (b + a) | 0;
    offset += BLOCK_BYTES;
  }
  if (offset === length) return c >>> 0;
  a = (a + readPartialWord(bytes, offset, length)) | 0;
  b = (b + readPartialWord(bytes, offset + 4, length)) | 0;
  c = (c + readPartialWord(bytes, offset + 8, length)) | 0;
  return finalMix(a, b, c);
}

/** The largest modulus whose product with a 32-bit hash a double still holds exactly. */
const EXACT_PRODUCT_LIMIT = 2 ** 21;

/**
 * Maps a 32-bit hash onto `0 … size − 1` as the kernel's `reciprocal_scale` does: `(hash × size) >> 32`, not a
 * remainder. Exact for every `size` up to 2^32, without BigInt.
 */
export function scale(hash: number, size: number): number {
  const unsigned = hash >>> 0;
  if (size <= EXACT_PRODUCT_LIMIT) return Math.floor(unsigned * size * 2 ** -32);
  const carry = Math.floor(((unsigned & 0xffff) * size) / 0x10000);
  return Math.floor(((unsigned >>> 16) * size + carry) / 0x10000);
}
