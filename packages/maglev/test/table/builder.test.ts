import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import {
  buildTable,
  ciliumScheme,
  createBuilder,
  envoyPermutation,
  envoyScheme,
  katranV1Scheme,
  katranV2Scheme,
} from "../../src/index.ts";
import type { Backend, MaglevTable, TableBuilder, Weighting } from "../../src/index.ts";
import { numbered, ownersOf, slotsOf } from "../reference.ts";

interface Step {
  readonly kind: "add" | "remove" | "reweigh";
  readonly pick: number;
  readonly weight: number;
}
const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom("add", "add", "remove", "reweigh"),
  // Few names, so that sets come back.
  pick: fc.nat(30),
  // Mostly equal weights: these are the sets with an incremental fill.
  weight: fc.constantFrom(1, 1, 1, 1, 1, 1, 0, 2, 5),
});

/** Applies one step to the builder and to a plain map of what should be there; the builder's table. */
function apply(builder: TableBuilder, expected: Map<string, Backend>, { kind, pick, weight }: Step): MaglevTable {
  const known = [...expected.keys()];
  const name = known[pick % known.length];
  if (kind === "add" || name === undefined) {
    const backend = { name: `node-${pick}`, weight };
    if (expected.has(backend.name)) return builder.build(expected.values());
    expected.set(backend.name, backend);
    return builder.add(backend);
  }
  if (kind === "remove") {
    expected.delete(name);
    return builder.remove(name);
  }
  expected.set(name, { name, weight });
  return builder.reweigh(name, weight);
}

const schemes = { envoy: envoyScheme, cilium: ciliumScheme, katranV1: katranV1Scheme, katranV2: katranV2Scheme };

describe("incremental equals full", () => {
  test.each(Object.entries(schemes))("over any sequence of single changes (%s)", (_, scheme) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), fc.constantFrom(7, 101, 251, 1021), (steps, size) => {
        const builder = createBuilder({ size, ...scheme });
        const expected = new Map<string, Backend>();
        for (const each of steps) {
          const table = apply(builder, expected, each);
          const full = buildTable(expected.values(), { size, ...scheme });
          expect(slotsOf(table)).toBe(slotsOf(full));
          expect(table.backends).toEqual(full.backends);
        }
      }),
      { numRuns: 40 },
    );
  });

  test.each([0, 1, 500, 998, 999])("at full size, for the backend at position %d", (position) => {
    const all = numbered(1000);
    const full = buildTable(all, { size: 65_537 });
    const changed = full.backends[position] as Backend;
    const builder = createBuilder({ size: 65_537 });
    builder.build(all);
    const without = all.filter(({ name }) => name !== changed.name);
    expect(slotsOf(builder.remove(changed.name))).toBe(slotsOf(buildTable(without, { size: 65_537 })));
    expect(slotsOf(builder.add(changed))).toBe(slotsOf(full));
    const reweighed = [...without, { ...changed, weight: 3 }];
    expect(slotsOf(builder.reweigh(changed.name, 3))).toBe(slotsOf(buildTable(reweighed, { size: 65_537 })));
    expect(slotsOf(builder.reweigh(changed.name, 1))).toBe(slotsOf(full));
  });

  test("a flapping backend gives the same two tables again and again", () => {
    const builder = createBuilder({ size: 1021 });
    const [up, down] = [builder.build(numbered(20)), builder.remove("backend-7")].map(ownersOf);
    expect(up).not.toBe(down);
    for (let flap = 0; flap < 3; flap++) {
      expect(ownersOf(builder.add({ name: "backend-7" }))).toBe(up);
      expect(ownersOf(builder.reweigh("backend-7", 0))).toBe(down);
      builder.reweigh("backend-7", 2);
      expect(ownersOf(builder.remove("backend-7"))).toBe(down);
    }
  });

  test("many in a row, each from the last", () => {
    const builder = createBuilder({ size: 1021 });
    builder.build(numbered(1));
    for (let count = 2; count <= 200; count++) {
      const table = builder.add({ name: `backend-${count - 1}` });
      expect(slotsOf(table)).toBe(slotsOf(buildTable(numbered(count), { size: 1021 })));
    }
  });
});

describe("createBuilder", () => {
  test("hashes a name once while it stays", () => {
    const hashed: string[] = [];
    const builder = createBuilder({
      size: 101,
      permutation: (name, size) => {
        hashed.push(name);
        return envoyPermutation(name, size);
      },
    });
    builder.build(numbered(3));
    builder.remove("backend-1");
    builder.build(numbered(2));
    expect(hashed).toEqual(["backend-0", "backend-1", "backend-2", "backend-1"]);
  });

  test("tables made before stay as they were", () => {
    const builder = createBuilder({ size: 101 });
    const before = builder.build(numbered(3));
    const copy = before.slots.slice();
    builder.remove("backend-1");
    expect(before.slots).toEqual(copy);
    expect(before.backends).toHaveLength(3);
  });

  test("refuses a name that it has, and one that it lacks", () => {
    const builder = createBuilder({ size: 101 });
    builder.build(numbered(2));
    expect(() => builder.add({ name: "backend-0" })).toThrow(/"backend-0" twice/);
    expect(() => builder.remove("gone")).toThrow(/"gone": it is not among the 2/);
    expect(() => builder.reweigh("gone", 1)).toThrow(/"gone": it is not among the 2/);
    expect(() => builder.reweigh("backend-0", -1)).toThrow(/"backend-0" with weight -1/);
  });

  test("a refused change leaves the builder as it was", () => {
    const builder = createBuilder({ size: 101 });
    const { slots } = builder.build(numbered(2));
    expect(() => builder.add({ name: "b", weight: Number.NaN })).toThrow(/NaN/);
    expect(() => builder.build([{ name: "x" }, { name: "x" }])).toThrow(/twice/);
    expect(builder.add({ name: "c", weight: 0 }).slots).toEqual(slots);
  });

  test("comes back from an empty set", () => {
    const builder = createBuilder({ size: 101 });
    builder.build(numbered(1));
    expect(builder.remove("backend-0").isEmpty).toBe(true);
    expect(builder.add({ name: "backend-0" }).lookup(1)).toBe(0);
  });
});

describe("a weighting of one's own", () => {
  const uneven = [{ name: "a" }, { name: "b", weight: 2 }];
  const weighting = (giveTurns: Weighting["giveTurns"]): Weighting => ({
    name: "own",
    equalWeightsTakeTurns: true,
    giveTurns,
  });

  test("decides whose turn it is, and may claim once too often", () => {
    const thirds = weighting((_, claim) => {
      for (let turn = 0; turn < 200; turn++) claim(turn % 3 === 0 ? 0 : 1);
    });
    const { slots } = buildTable(uneven, { size: 101, weighting: thirds });
    expect(slots.filter((index) => index === 0)).toHaveLength(34);
  });

  test("is refused if it stops early", () => {
    const lazy = weighting((_, claim) => void claim(0));
    expect(() => buildTable(uneven, { size: 7, weighting: lazy })).toThrow(/"own" stopped after 1 turns/);
  });

  test.each([2, -1, Number.NaN])("is refused if it gives position %d a turn", (position) => {
    const wild = weighting((_, claim) => void claim(position));
    expect(() => buildTable(uneven, { size: 7, weighting: wild })).toThrow(`position ${position}: the weighting "own"`);
  });

  test("may write its turns at once", () => {
    const alternate = {
      ...weighting(() => undefined),
      writeTurns: (_: unknown, turns: Int32Array) => void turns.fill(1, 50),
    };
    const { slots } = buildTable(uneven, { size: 101, weighting: alternate });
    expect(slots.filter((index) => index === 0)).toHaveLength(50);
  });

  test.each([2, -1])("is refused if it writes position %d", (position) => {
    const wild = {
      ...weighting(() => undefined),
      writeTurns: (_: unknown, turns: Int32Array) => void turns.fill(position, 6),
    };
    expect(() => buildTable(uneven, { size: 7, weighting: wild })).toThrow(`position ${position}: the weighting "own"`);
  });
});
