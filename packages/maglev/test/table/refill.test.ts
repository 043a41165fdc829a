import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import { buildTable, ciliumScheme, createBuilder, envoyPermutation, envoyScheme } from "../../src/index.ts";
import { katranV1Scheme, katranV2Scheme } from "../../src/index.ts";
import type { Backend } from "../../src/index.ts";
import type { Contenders } from "../../src/table/contenders.ts";
import { Filler } from "../../src/table/filler.ts";
import { refill } from "../../src/table/refill.ts";
import { numbered, slotsOf } from "../reference.ts";

const schemes = { envoy: envoyScheme, cilium: ciliumScheme, katranV1: katranV1Scheme, katranV2: katranV2Scheme };

/** Sets large enough for their tables that a change is worth a cascade. */
const startSet = fc.record({
  size: fc.constantFrom(101, 251, 509),
  weights: fc.array(fc.constantFrom(1, 1, 1, 1, 2, 3), { minLength: 20, maxLength: 40 }),
  isEven: fc.boolean(),
  pick: fc.nat(),
  weight: fc.constantFrom(1, 2, 3, 4, 7),
});

describe("one more backend, or a heavier one, equals a full build", () => {
  test.each(Object.entries(schemes))("from any set (%s)", (_, scheme) => {
    fc.assert(
      fc.property(startSet, ({ size, weights, isEven, pick, weight }) => {
        const backends: Backend[] = weights.map((each, i) => ({ name: `node-${i}`, weight: isEven ? 1 : each }));
        const builder = createBuilder({ size, ...scheme });
        const check = (changed: Backend[], table: ReturnType<typeof buildTable>): void =>
          expect(slotsOf(table)).toBe(slotsOf(buildTable(changed, { size, ...scheme })));
        builder.build(backends);
        const added = { name: `added-${pick % 50}`, weight: isEven ? 1 : weight };
        check([...backends, added], builder.add(added));
        const at = pick % backends.length;
        const heavier = backends.with(at, { name: `node-${at}`, weight });
        check([...heavier, added], builder.reweigh(`node-${at}`, weight));
      }),
      { numRuns: 60 },
    );
  });

  test.each([1, 2, 3, 20])("at full size, with weight %d", (weight) => {
    const all = numbered(1000);
    const builder = createBuilder({ size: 65_537 });
    builder.build(all.slice(1));
    expect(slotsOf(builder.add(all[0] as Backend))).toBe(slotsOf(buildTable(all, { size: 65_537 })));
    const heavier = all.with(500, { name: "backend-500", weight });
    expect(slotsOf(builder.reweigh("backend-500", weight))).toBe(slotsOf(buildTable(heavier, { size: 65_537 })));
  });
});

const SIZE = 1021;

function contendersOf(names: readonly string[]): Contenders {
  const permutations = names.map((name) => envoyPermutation(name, SIZE));
  return {
    offsets: Int32Array.from(permutations, ({ offset }) => offset),
    skips: Int32Array.from(permutations, ({ skip }) => skip),
    inverses: new Float64Array(names.length),
    values: Int32Array.from(names.keys()),
  };
}

function fill(contenders: Contenders, turns?: Int32Array): Int32Array {
  return new Filler(new Uint16Array(SIZE), contenders).fill(turns);
}

const names = numbered(40).map(({ name }) => name);
const contenders = contendersOf(names);
const even = { turns: undefined, claims: fill(contenders), contenderCount: names.length };

/** Turns where `count` contenders have one each a round, and the one at `position` `extra` more. */
function turnsOf(count: number, position: number, extra: number): Int32Array {
  const round = [...Array.from({ length: count }, (_, i) => i), ...Array.from({ length: extra }, () => position)];
  return Int32Array.from({ length: SIZE }, (_, turn) => round[turn % round.length] as number);
}

// That a builder's tables are right doesn't say that they came from a refill: it falls back to a full fill.
describe("refill", () => {
  test.each([0, 17, 40])("inserts the turns of a new contender at position %d", (position) => {
    const more = contendersOf(names.toSpliced(position, 0, "new"));
    expect(refill(even, { turns: undefined, contenders: more, gain: { position, isNew: true } })).toEqual(fill(more));
  });

  test.each([0, 17, 39])("inserts more turns of the contender at position %d", (position) => {
    const turns = turnsOf(40, position, 1);
    const claims = refill(even, { turns, contenders, gain: { position, isNew: false } });
    expect(claims).toEqual(fill(contenders, turns));
    const previous = { turns, claims: claims as Int32Array, contenderCount: 40 };
    const next = turnsOf(40, position, 2);
    expect(refill(previous, { turns: next, contenders, gain: { position, isNew: false } })).toEqual(
      fill(contenders, next),
    );
  });

  test("inserts a new contender among uneven turns", () => {
    const turns = turnsOf(40, 3, 1);
    const previous = { turns, claims: fill(contenders, turns), contenderCount: 40 };
    const more = contendersOf([...names, "new"]);
    const next = Int32Array.from({ length: SIZE }, (_, turn) => [...turns.slice(0, 41), 40][turn % 42] as number);
    const gain = { position: 40, isNew: true };
    expect(refill(previous, { turns: next, contenders: more, gain })).toEqual(fill(more, next));
  });

  test("leaves the previous fill as it was", () => {
    const claims = even.claims.slice();
    refill(even, { turns: turnsOf(40, 5, 1), contenders, gain: { position: 5, isNew: false } });
    expect(even.claims).toEqual(claims);
  });

  test("refuses fewer turns", () => {
    const turns = turnsOf(40, 5, 1);
    const previous = { turns, claims: fill(contenders, turns), contenderCount: 40 };
    const gain = { position: 5, isNew: false };
    expect(refill(previous, { turns: undefined, contenders, gain })).toBeUndefined();
    expect(refill(previous, { turns: turnsOf(40, 5, 0), contenders, gain })).toBeUndefined();
  });

  test("refuses turns of the others in another order", () => {
    const turns = turnsOf(40, 5, 1);
    turns.copyWithin(500, 501);
    expect(refill(even, { turns, contenders, gain: { position: 5, isNew: false } })).toBeUndefined();
  });

  test("refuses so many insertions that a full fill is faster", () => {
    const turns = turnsOf(40, 5, 4);
    expect(refill(even, { turns, contenders, gain: { position: 5, isNew: false } })).toBeUndefined();
  });
});
