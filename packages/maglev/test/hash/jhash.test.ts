import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import { jhash, scale } from "../../src/index.ts";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("jhash", () => {
  // Bob Jenkins' own examples of lookup3's hashlittle.
  test.each([
    ["", 0, 0xdeadbeef],
    ["", 0xdeadbeef, 0xbd5b7dde],
    ["Four score and seven years ago", 0, 0x17770551],
    ["Four score and seven years ago", 1, 0xcd628161],
  ])("%j seed %d", (text, seed, expected) => {
    expect(jhash(encode(text), seed)).toBe(expected);
  });

  test("reads only the given length of a larger buffer", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.uint8Array({ maxLength: 20 }), (key, rest) => {
        expect(jhash(Uint8Array.from([...key, ...rest]), 7, key.length)).toBe(jhash(key, 7));
      }),
    );
  });

  test("is an unsigned 32-bit integer", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(), (key, seed) => {
        const hash = jhash(key, seed);
        expect(hash).toBe(hash >>> 0);
      }),
    );
  });
});

describe("scale", () => {
  const exact = (hash: number, size: number): number => Number((BigInt(hash) * BigInt(size)) >> 32n);

  test("equals (hash × size) >> 32 exactly, at any size", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.integer({ min: 1, max: 2 ** 32 }), (hash, size) => {
        expect(scale(hash, size)).toBe(exact(hash, size));
      }),
      { numRuns: 1000 },
    );
  });

  test.each([
    [2 ** 32 - 1, 65_537],
    [2 ** 32 - 1, 2 ** 21],
    [2 ** 32 - 1, 2 ** 21 + 1],
    [2 ** 32 - 1, 16_777_213],
    [0, 65_537],
  ])("at the edge: %d onto %d", (hash, size) => {
    expect(scale(hash, size)).toBe(exact(hash, size));
  });

  test("takes a negative integer as its unsigned form", () => {
    expect(scale(-1, 65_537)).toBe(65_536);
  });
});
