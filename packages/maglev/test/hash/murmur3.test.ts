import { describe, expect, test } from "@jest/globals";

import { murmur3 } from "../../src/index.ts";

// Vectors of Cilium's published test of its murmur3 package.
describe("murmur3 x64 128 known answers", () => {
  test.each([
    ["", 0, 0n, 0n],
    ["hello world", 1234, 0x1629cce705a7069cn, 0x316c1fbd953aaecdn],
    ["lorem ipsum dolor sit amet", 500, 0x188f69f0abbd67den, 0x1b0eeb31b4c00cb6n],
    ["this is a test of 31 bytes long", 31, 0x24b05ffca412286an, 0x7d81ac914b62fe96n],
    ["The quick brown fox jumps over the lazy dog.", 0xd09, 0x5e0fd714b3169ae6n, 0x2f36e811c1535dc7n],
  ])("%j seed %d", (text, seed, first, second) => {
    expect(murmur3(text, seed)).toEqual({ first, second });
  });

  test("bytes and text agree", () => {
    expect(murmur3(new TextEncoder().encode("zürich"))).toEqual(murmur3("zürich"));
  });
});
