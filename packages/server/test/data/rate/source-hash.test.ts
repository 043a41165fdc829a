import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import { hashSource, sourceHash } from "../../../src/data/rate/source-hash.ts";

function hashOf(address: string, seed = 7): string {
  hashSource(address, seed);
  return `${sourceHash.place} ${sourceHash.tag}`;
}

/** Canonical text (RFC 5952) of eight words. */
const textOf = (words: readonly number[]): string =>
  new URL(`http://[${words.map((word) => word.toString(16)).join(":")}]`).hostname.slice(1, -1);
const word = fc.oneof(fc.constant(0), fc.nat(0xffff));
const words = (count: number) => fc.array(word, { minLength: count, maxLength: count });

describe("sources", () => {
  it("of IPv6 are /64s, however the rest and the text look", () => {
    fc.assert(
      fc.property(words(4), words(4), words(4), (prefix, one, other) => {
        fc.pre(prefix.some((part) => part !== 0));
        expect(hashOf(textOf([...prefix, ...one]))).toBe(hashOf(textOf([...prefix, ...other])));
      }),
    );
  });

  it("of IPv6 differ when one of the first 64 bits does", () => {
    fc.assert(
      fc.property(words(8), fc.nat(63), (all, bit) => {
        const other = all.with(bit >> 4, all[bit >> 4]! ^ (1 << (bit & 15)));
        const isPlain = [all, other].every((parts) => parts.slice(0, 5).some((part) => part !== 0));
        fc.pre(isPlain);
        expect(hashOf(textOf(all))).not.toBe(hashOf(textOf(other)));
      }),
    );
  });

  it("of IPv4 are addresses, mapped or not", () => {
    expect(new Set(["10.0.0.1", "10.0.0.2", "10.0.1.0", "1.0.0.10"].map((one) => hashOf(one))).size).toBe(4);
    expect(hashOf("::ffff:10.0.0.1")).toBe(hashOf("10.0.0.1"));
    fc.assert(fc.property(fc.ipV4(), fc.ipV4(), (a, b) => expect(hashOf(a) === hashOf(b)).toBe(a === b)));
  });

  it.each(["fe80::1%eth0", "fe80::%1", "::", "::1", "1::", "64:ff9b::1.2.3.4", "1:2:3:4:5:6:1.2.3.4"])(
    "of every form have a hash: %s",
    (address) => {
      expect(hashOf(address)).toMatch(/^\d+ -?[1-9]\d*$/);
    },
  );

  it("of link-local addresses are the same in every zone", () =>
    expect(hashOf("fe80::1%eth0")).toBe(hashOf("fe80::2%eth1")));

  it("lie elsewhere with another seed", () => expect(hashOf("10.0.0.1", 7)).not.toBe(hashOf("10.0.0.1", 8)));
});
