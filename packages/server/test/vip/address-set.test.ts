import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import { AddressSet } from "../../src/vip/address-set.ts";

const address = fc.bigInt({ min: 0n, max: 40n });

describe("AddressSet", () => {
  test("behaves as a set that is walked number by number", () => {
    const step = fc.record({ kind: fc.constantFrom("add", "delete"), address });
    fc.assert(
      fc.property(fc.array(address), fc.array(step), address, address, (initial, steps, first, last) => {
        const set = new AddressSet(initial);
        const model = new Set(initial);
        for (const { kind, address: changed } of steps) {
          if (kind === "add") {
            set.add(changed);
            model.add(changed);
          } else {
            set.delete(changed);
            model.delete(changed);
          }
        }
        expect(set.size).toBe(model.size);
        expect(set.has(first)).toBe(model.has(first));
        expect(set.firstGap(first, last)).toBe(walkToGap(model, first, last));
        expect(set.countWithin(first, last)).toBe([...model].filter((a) => first <= a && a <= last).length);
      }),
    );
  });

  test("finds the gap after a long run and in a huge stretch without enumerating", () => {
    const start = 2n ** 100n;
    const set = new AddressSet(Array.from({ length: 65_536 }, (_, index) => start + BigInt(index)));
    expect(set.firstGap(start, start + 2n ** 64n)).toBe(start + 65_536n);
    expect(set.firstGap(start, start + 65_535n)).toBeUndefined();
    set.delete(start + 40_000n);
    expect(set.firstGap(start, start + 65_535n)).toBe(start + 40_000n);
  });
});

function walkToGap(model: ReadonlySet<bigint>, first: bigint, last: bigint): bigint | undefined {
  for (let candidate = first; candidate <= last; candidate++) if (!model.has(candidate)) return candidate;
  return undefined;
}
