import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import { buildTable, compareNames, evenness, scale, slotsByteLength, tableFromSlots } from "../../src/index.ts";
import type { Backend } from "../../src/index.ts";
import { numbered, ownersOf, referenceTable, slotsOf } from "../reference.ts";

const size = fc.constantFrom(2, 3, 5, 7, 13, 101, 251, 509, 1021);
const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 12, unit: "binary" }), {
  minLength: 1,
  maxLength: 40,
});
const weights = fc.integer({ min: 0, max: 20 });
const backends: fc.Arbitrary<Backend[]> = fc.uniqueArray(
  fc.record({ name: fc.string({ minLength: 1 }), weight: weights }),
  {
    selector: ({ name }) => name,
    maxLength: 30,
  },
);

describe("buildTable", () => {
  test("equals the paper's pseudocode slot by slot", () => {
    fc.assert(
      fc.property(names, size, (list, slots) => {
        const table = buildTable(
          list.map((name) => ({ name })),
          { size: slots },
        );
        expect(ownersOf(table)).toBe(JSON.stringify(referenceTable(list, slots)));
      }),
    );
  });

  test("does so at full size", () => {
    const all = numbered(1000);
    const table = buildTable(all, { size: 65_537 });
    const expected = referenceTable(
      all.map(({ name }) => name),
      65_537,
    );
    expect(ownersOf(table)).toBe(JSON.stringify(expected));
  });

  test("fills every slot with a backend that has a weight", () => {
    fc.assert(
      fc.property(backends, size, (list, slots) => {
        const table = buildTable(list, { size: slots });
        if (table.isEmpty) expect(list.every(({ weight }) => weight === 0)).toBe(true);
        else
          expect([...new Set(table.slots)].filter((index) => !((table.backends[index]?.weight ?? 0) > 0))).toEqual([]);
      }),
    );
  });

  test("gives equal weights counts that differ by at most one", () => {
    fc.assert(
      fc.property(names, size, fc.constantFrom(1, 3, 0.25), (list, slots, weight) => {
        const { min, max } = evenness(
          buildTable(
            list.map((name) => ({ name, weight })),
            { size: slots },
          ),
        );
        expect(max - min).toBeLessThanOrEqual(1);
      }),
    );
  });

  test("gives slots in proportion to weights", () => {
    const wide = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(wide, (list) => {
        const table = buildTable(
          list.map((weight, i) => ({ name: `${i}`, weight })),
          { size: 16_381 },
        );
        // A backend's turns follow its weight within one, and the last round is cut short: two slots. The last round comes
        // early or late by what all backends are off together, at most one turn each, shared by weight.
        const total = list.reduce((sum, weight) => sum + weight, 0);
        const shift = (list.length * Math.max(...list)) / total;
        expect(evenness(table).worstDeviation).toBeLessThanOrEqual(2 + shift);
      }),
      { numRuns: 30, examples: [[[2, 10, 5, 5, 15, 13, 8, 18, 8, 5]]] },
    );
  });

  test("does not depend on the order of input", () => {
    const shuffled = backends.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
    );
    fc.assert(
      fc.property(shuffled, size, ([list, other], slots) => {
        const [a, b] = [buildTable(list, { size: slots }), buildTable(other, { size: slots })];
        expect(slotsOf(b)).toBe(slotsOf(a));
        expect(b.backends).toEqual(a.backends);
      }),
    );
  });

  test("treats a weight of 0 as absent, but for its place in the list", () => {
    const table = buildTable([{ name: "a" }, { name: "b", weight: 0 }, { name: "c" }], { size: 101 });
    const without = buildTable([{ name: "a" }, { name: "c" }], { size: 101 });
    expect(table.backends.map(({ name }) => name)).toEqual(["a", "b", "c"]);
    expect(table.slots).toEqual(without.slots.map((index) => (index === 1 ? 2 : 0)));
  });

  test("takes more backends than slots", () => {
    expect(new Set(buildTable(numbered(50), { size: 7 }).slots).size).toBe(7);
  });
});

describe("refusals", () => {
  test.each([
    ["a name given twice", [{ name: "a" }, { name: "b" }, { name: "a" }], /backend "a" twice/],
    ["an empty name", [{ name: "" }], /without a name/],
    ["a negative weight", [{ name: "a", weight: -1 }], /"a" with weight -1/],
    ["a weight that is no number", [{ name: "a", weight: Number.NaN }], /"a" with weight NaN/],
    ["an infinite weight", [{ name: "a", weight: Infinity }], /"a" with weight Infinity/],
  ])("%s", (_, list, message) => {
    expect(() => buildTable(list, { size: 7 })).toThrow(message);
  });

  test.each([
    { offset: 7, skip: 1 },
    { offset: -1, skip: 1 },
    { offset: 0, skip: 0 },
    { offset: 0, skip: 7 },
    { offset: 0.5, skip: 1 },
  ])("a permutation outside the table: %j", (permutation) => {
    expect(() => buildTable([{ name: "a" }], { size: 7, permutation: () => permutation })).toThrow(
      /permutation of backend "a"/,
    );
  });
});

describe("lookup", () => {
  const table = buildTable(numbered(5), { size: 1021 });

  test("scales the hash onto the slots as the kernel does", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (hash) => {
        expect(table.lookup(hash)).toBe(table.slots[scale(hash, 1021)]);
        expect(table.backendFor(hash)).toBe(table.backends[table.lookup(hash)]);
      }),
    );
  });

  test.each([[[]], [[{ name: "a", weight: 0 }]]])("finds nothing in the table of %j", (list) => {
    const empty = buildTable(list, { size: 7 });
    expect([empty.isEmpty, empty.lookup(1), empty.lookupByRemainder(1), empty.lookupByRemainder(1n)]).toEqual([
      true,
      -1,
      -1,
      -1,
    ]);
    expect(empty.backendFor(1)).toBeUndefined();
    expect(new Set(empty.slots)).toEqual(new Set([0xffff]));
  });

  test("the table cannot be changed", () => {
    expect(Object.isFrozen(table) && Object.isFrozen(table.backends) && Object.isFrozen(table.backends[0])).toBe(true);
  });
});

describe("slots in shared memory", () => {
  test("another view of the same memory is the same table", () => {
    const table = buildTable(numbered(9), { size: 1021, allocate: (length) => new SharedArrayBuffer(length) });
    expect(table.slots.buffer).toBeInstanceOf(SharedArrayBuffer);
    const view = tableFromSlots(new Uint16Array(table.slots.buffer, 0, 1021), numbered(9).toReversed());
    for (const hash of [0, 1, 2 ** 31, 2 ** 32 - 1]) {
      expect(view.backendFor(hash)?.name).toBe(table.backendFor(hash)?.name);
    }
  });

  test("a view of an empty table finds nothing", () => {
    expect(tableFromSlots(buildTable([], { size: 7 }).slots, []).lookup(5)).toBe(-1);
  });

  test("a view with other backends is refused", () => {
    const { slots } = buildTable(numbered(9), { size: 1021 });
    expect(() => tableFromSlots(slots, numbered(3))).toThrow(/as a table of 3 backends: slot \d+ holds [3-8]/);
  });

  test("a view of a composite number of slots is refused", () => {
    expect(() => tableFromSlots(new Uint16Array(8), numbered(1))).toThrow(/nearest primes: 7 and 11/);
  });

  test("an allocator that returns too little is refused", () => {
    expect(() => buildTable(numbered(2), { size: 7, allocate: () => new ArrayBuffer(13) })).toThrow(/13 bytes of 14/);
  });

  test("slots widen to 32 bits where 16 are too few", () => {
    expect([slotsByteLength(7, 65_535), slotsByteLength(7, 65_536)]).toEqual([14, 28]);
    expect(buildTable(numbered(65_536), { size: 7 }).slots).toBeInstanceOf(Uint32Array);
  });
});

describe("compareNames", () => {
  test("orders as the bytes of UTF-8 do", () => {
    const word = fc.string({ unit: "binary", maxLength: 6 });
    const utf8 = (text: string) => Buffer.from(text, "utf8");
    fc.assert(
      fc.property(word, word, (a, b) => {
        expect(Math.sign(compareNames(a, b))).toBe(Buffer.compare(utf8(a), utf8(b)));
      }),
      { numRuns: 1000, examples: [["\u{1f600}", "\uff5e"]] },
    );
  });
});
