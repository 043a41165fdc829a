import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import { Word64 } from "../../src/hash/word64.ts";

const word = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const high = (value: bigint): number => Number(value >> 32n);
const low = (value: bigint): number => Number(value & 0xffff_ffffn);
const make = (value: bigint): Word64 => new Word64().set(high(value), low(value));
const wrap = (value: bigint): bigint => BigInt.asUintN(64, value);

describe("Word64 equals 64-bit arithmetic in BigInt", () => {
  test("add", () => {
    fc.assert(fc.property(word, word, (a, b) => make(a).add(high(b), low(b)).toBigInt() === wrap(a + b)));
  });

  test("multiply", () => {
    fc.assert(
      fc.property(word, word, (a, b) => make(a).multiply(high(b), low(b)).toBigInt() === wrap(a * b)),
      {
        numRuns: 1000,
      },
    );
  });

  test("multiply at the largest digits", () => {
    const all = 2n ** 64n - 1n;
    expect(make(all).multiply(0xffffffff, 0xffffffff).toBigInt()).toBe(wrap(all * all));
  });

  test("xor", () => {
    fc.assert(fc.property(word, word, (a, b) => make(a).xor(high(b), low(b)).toBigInt() === (a ^ b)));
  });

  test("rotateLeft", () => {
    const bits = fc.integer({ min: 1, max: 63 }).filter((n) => n !== 32);
    fc.assert(
      fc.property(word, bits, (a, n) => {
        expect(make(a).rotateLeft(n).toBigInt()).toBe(wrap((a << BigInt(n)) | (a >> BigInt(64 - n))));
      }),
    );
  });

  test("xorShiftRight", () => {
    fc.assert(
      fc.property(word, fc.integer({ min: 1, max: 63 }), (a, n) => {
        expect(make(a).xorShiftRight(n).toBigInt()).toBe(a ^ (a >> BigInt(n)));
      }),
    );
  });

  test("modulo, up to the largest table size", () => {
    fc.assert(
      fc.property(word, fc.integer({ min: 1, max: 2 ** 24 }), (a, modulus) => {
        expect(make(a).modulo(modulus)).toBe(Number(a % BigInt(modulus)));
      }),
    );
  });
});
