import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import { buildTable, compare, evenness, successor, withUsable } from "../../src/index.ts";
import type { Backend, MaglevTable } from "../../src/index.ts";
import { numbered } from "../reference.ts";

const SIZES = fc.constantFrom(2, 7, 101, 251, 1021);
const backends: fc.Arbitrary<Backend[]> = fc.uniqueArray(
  fc.record({ name: fc.string({ minLength: 1 }), weight: fc.integer({ min: 0, max: 20 }) }),
  { selector: ({ name }) => name, maxLength: 30 },
);
/** Backends, and two sets of some of them that are down. */
const outages = backends.chain((list) => {
  const some = fc.subarray(list.map(({ name }) => name));
  return fc.tuple(fc.constant(list), some, some);
});

const without = (table: MaglevTable, down: readonly string[]): MaglevTable => {
  const out = new Set(down);
  return withUsable(table, (name) => !out.has(name));
};
const owners = (table: MaglevTable): (string | undefined)[] =>
  Array.from(table.slots, (index) => table.backends[index]?.name);

describe("withUsable", () => {
  test("moves the slots of those who are down, all of them, and no other", () => {
    fc.assert(
      fc.property(outages, SIZES, ([list, down], size) => {
        const all = buildTable(list, { size });
        const left = without(all, down);
        const before = owners(all);
        for (const [slot, owner] of owners(left).entries()) {
          if (owner !== undefined) expect(down).not.toContain(owner);
          if (before[slot] !== undefined && !down.includes(before[slot])) expect(owner).toBe(before[slot]);
        }
        expect(left.isEmpty).toBe(list.every(({ name, weight = 1 }) => weight === 0 || down.includes(name)));
      }),
    );
  });

  test("one more that goes, or comes back, moves its own slots alone, whoever is down beside it", () => {
    fc.assert(
      fc.property(outages, SIZES, ([list, down], size) => {
        const all = buildTable(list, { size });
        const one = down[0];
        if (one === undefined) return;
        const [with_, gone] = [owners(without(all, down.slice(1))), owners(without(all, down))];
        for (const [slot, owner] of with_.entries()) if (owner !== one) expect(gone[slot]).toBe(owner);
      }),
    );
  });

  test("does not depend on the order of backends or of verdicts", () => {
    fc.assert(
      fc.property(outages, SIZES, ([list, first, second], size) => {
        const down = new Set([...first, ...second]);
        const isUsable = (name: string): boolean => !down.has(name);
        const here = withUsable(buildTable(list, { size }), isUsable);
        const there = withUsable(buildTable(list.toReversed(), { size }), isUsable);
        expect(owners(there)).toEqual(owners(here));
      }),
    );
  });

  test("with everybody usable it is the same table", () => {
    const all = buildTable(numbered(10), { size: 1021 });
    expect(withUsable(all, () => true)).toEqual(all);
  });

  test("with nobody usable it is empty", () => {
    const none = withUsable(buildTable(numbered(3), { size: 7 }), () => false);
    expect([none.isEmpty, none.lookup(1)]).toEqual([true, -1]);
  });

  test("lists who is down with weight 0, and takes the memory that it is given", () => {
    const all = buildTable([{ name: "a" }, { name: "b", weight: 2 }], { size: 7 });
    const allocate = (bytes: number): SharedArrayBuffer => new SharedArrayBuffer(bytes);
    const left = withUsable(all, (name) => name === "a", { allocate });
    expect(left.backends).toEqual([
      { name: "a", weight: 1 },
      { name: "b", weight: 0 },
    ]);
    expect(left.slots.buffer).toBeInstanceOf(SharedArrayBuffer);
  });

  // What each of them inherits varies like chance. 1,000 sets of names: peak to mean 1.05 on average, 1.13 at most.
  test.each([
    { count: 10, size: 1021, down: 1, most: 1.16 },
    { count: 10, size: 1021, down: 5, most: 1.25 },
    { count: 100, size: 16_381, down: 1, most: 1.06 },
    { count: 10, size: 65_537, down: 1, most: 1.02 },
  ])("shares stay even: $down of $count down, $size slots", ({ count, size, down, most }) => {
    const all = buildTable(numbered(count), { size });
    for (let first = 0; first + down <= count; first += down) {
      const gone = numbered(count)
        .slice(first, first + down)
        .map(({ name }) => name);
      expect(evenness(without(all, gone)).peakToMean).toBeLessThan(most);
    }
  });

  test("what one leaves is shared by weight", () => {
    const all = buildTable([{ name: "gone", weight: 3 }, { name: "small" }, { name: "large", weight: 3 }], {
      size: 65_537,
    });
    const { changes } = compare(all, without(all, ["gone"]));
    const gained = (name: string): number => {
      const change = changes.find((one) => one.name === name)!;
      return change.slotsAfter - change.slotsBefore;
    };
    expect(gained("large") / gained("small")).toBeCloseTo(3, 0);
  });
});

describe("successor", () => {
  test("is what withUsable has in every slot", () => {
    fc.assert(
      fc.property(outages, SIZES, ([list, down], size) => {
        const all = buildTable(list, { size });
        const left = without(all, down);
        const isUsable = (index: number): boolean => (left.backends[index]?.weight ?? 0) > 0;
        const { slots } = all;
        for (let slot = 0; slot < size; slot++) {
          const index = successor(slot, { slots, backendCount: all.backends.length, isUsable });
          expect(index).toBe(left.isEmpty ? -1 : left.slots[slot]);
        }
      }),
    );
  });

  test("finds the only one of a thousand that is left, at no great cost", () => {
    const { slots, backends: all } = buildTable(numbered(1000), { size: 16_381 });
    let asked = 0;
    const isUsable = (index: number): boolean => {
      asked++;
      return index === 500;
    };
    for (let slot = 0; slot < 100; slot++) {
      expect(successor(slot, { slots, backendCount: all.length, isUsable })).toBe(500);
    }
    expect(asked / 100).toBeLessThanOrEqual(1000 + 65);
  });

  test("spreads the slots that nobody was found for along their walk", () => {
    const { slots, backends: all } = buildTable(numbered(1000), { size: 65_537 });
    const heirs = new Uint32Array(4);
    const isUsable = (index: number): boolean => index < heirs.length;
    for (let slot = 0; slot < 20_000; slot++) {
      const heir = successor(slot, { slots, backendCount: all.length, isUsable });
      heirs[heir] = heirs[heir]! + 1;
    }
    for (const count of heirs) expect(Math.abs(count - 5000)).toBeLessThan(300);
  });
});
