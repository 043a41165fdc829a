import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import { xxHash32, xxHash64 } from "../../src/index.ts";

// The xxHash project's own self-test input: the top byte of a number that is squared at each step.
function sanityBuffer(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0, generator = 2_654_435_761; i < length; i++) {
    bytes[i] = generator >>> 24;
    generator = Math.imul(generator, generator) >>> 0;
  }
  return bytes;
}
const PRIME_SEED = 2_654_435_761;

describe("xxHash64 known answers", () => {
  test.each([
    ["", 0, 0xef46db3751d8e999n],
    ["abc", 0, 0x44bc2cf5ad770999n],
    ["Nobody inspects the spammish repetition", 0, 0xfbcea83c8a378bf1n],
  ])("%j seed %d", (text, seed, expected) => {
    expect(xxHash64(text, seed)).toBe(expected);
  });

  test.each([
    [1, 0, 0x4fce394cc88952d8n],
    [1, PRIME_SEED, 0x739840cb819fa723n],
    [14, 0, 0xcffa8db881bc3a3dn],
    [14, PRIME_SEED, 0x5b9611585efcc9cbn],
    [101, 0, 0x0eab543384f878adn],
    [101, PRIME_SEED, 0xcaa65939306f1e21n],
  ])("self-test of %d bytes, seed %d", (length, seed, expected) => {
    expect(xxHash64(sanityBuffer(length), seed)).toBe(expected);
  });
});

describe("xxHash32 known answers", () => {
  test.each([
    ["", 0, 0x02cc5d05],
    ["abc", 0, 0x32d153ff],
    ["Nobody inspects the spammish repetition", 0, 0xe2293b2f],
  ])("%j seed %d", (text, seed, expected) => {
    expect(xxHash32(text, seed)).toBe(expected);
  });

  test.each([
    [1, 0, 0xb85cbee5],
    [1, PRIME_SEED, 0xd5845d64],
    [14, 0, 0xe5aa0ab4],
    [14, PRIME_SEED, 0x4481951d],
    [101, 0, 0x1f1aa412],
    [101, PRIME_SEED, 0x498ec8e2],
  ])("self-test of %d bytes, seed %d", (length, seed, expected) => {
    expect(xxHash32(sanityBuffer(length), seed)).toBe(expected);
  });
});

describe("text", () => {
  test("is hashed as its UTF-8, whatever its characters and length", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 600 }), (text) => {
        const bytes = new TextEncoder().encode(text);
        expect(xxHash64(text)).toBe(xxHash64(bytes));
        expect(xxHash32(text)).toBe(xxHash32(bytes));
      }),
    );
  });
});
