import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import { ALL_KEYS, compareKeys, END_OF_KEYS, inRange, keyAfter, prefixRange } from "../src/index.ts";

/** Any well-formed text, with characters from both sides of the surrogates. */
const text = fc.string({ unit: "binary", maxLength: 6 }).filter((key) => !key.includes("\0"));
const edges = fc.array(fc.constantFrom("a", "\u{D7FF}", "\u{E000}", "\u{FFFF}", "\u{10000}", "\u{10FFFF}"), {
  maxLength: 4,
});
const key = fc.oneof(
  text,
  edges.map((parts) => parts.join("")),
);

describe("keys", () => {
  test("are ordered as their UTF-8 bytes are", () => {
    fc.assert(
      fc.property(key, key, (a, b) => {
        expect(Math.sign(compareKeys(a, b))).toBe(Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))));
      }),
    );
  });

  test("a prefix's range holds what begins with it, and nothing else", () => {
    fc.assert(
      fc.property(key, key, key, (prefix, rest, other) => {
        const range = prefixRange(prefix);
        expect(inRange(prefix + rest, range)).toBe(true);
        expect(inRange(other, range)).toBe(other.startsWith(prefix));
      }),
    );
  });

  test.each([
    ["a/", { start: "a/", end: "a0" }],
    ["", ALL_KEYS],
    ["a\u{10FFFF}", { start: "a\u{10FFFF}", end: "b" }],
    ["\u{10FFFF}", { start: "\u{10FFFF}", end: END_OF_KEYS }],
    ["\uD7FF", { start: "\uD7FF", end: "\uE000" }],
  ])("the range of prefix %j", (prefix, range) => {
    expect(prefixRange(prefix)).toEqual(range);
    expect(range.end.isWellFormed()).toBe(true);
  });

  test("keyAfter leaves no room for a key in between", () => {
    fc.assert(
      fc.property(key, key, (a, b) => {
        expect(compareKeys(keyAfter(a), a)).toBeGreaterThan(0);
        if (compareKeys(b, a) > 0) expect(compareKeys(b, keyAfter(a))).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});
