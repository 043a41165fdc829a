import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import { buildTable, compare, evenness } from "../../src/index.ts";
import { numbered } from "../reference.ts";

const size = 1021;

describe("evenness", () => {
  test("counts the slots of every backend", () => {
    const table = buildTable([{ name: "a", weight: 3 }, { name: "b" }, { name: "c", weight: 0 }], { size: 101 });
    const report = evenness(table);
    expect([...report.slotCounts]).toEqual([75, 26, 0]);
    expect(report).toMatchObject({ min: 26, max: 75, mean: 50.5, peakToMean: 75 / 50.5, worstDeviation: 0.75 });
  });

  test("accounts for all slots", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), (count) => {
        const { slotCounts } = evenness(buildTable(numbered(count), { size }));
        expect(slotCounts.reduce((a, b) => a + b, 0)).toBe(size);
      }),
    );
  });

  test("is all zero for an empty table", () => {
    expect(evenness(buildTable([], { size: 7 }))).toMatchObject({ min: 0, max: 0, mean: 0, peakToMean: 0 });
  });
});

describe("compare", () => {
  const full = buildTable(numbered(10), { size });

  test("finds nothing between equal tables", () => {
    expect(compare(full, buildTable(numbered(10).toReversed(), { size }))).toEqual({
      size,
      moved: 0,
      movedFromRemoved: 0,
      movedToAdded: 0,
      movedBetweenKept: 0,
      movedFraction: 0,
      disruptedFraction: 0,
      changes: [],
    });
  });

  test("tells what a removal must move from what it disturbs", () => {
    const after = buildTable(numbered(9), { size });
    const report = compare(full, after);
    const owned = evenness(full).slotCounts[9] as number;
    expect(report.movedFromRemoved).toBe(owned);
    expect(report.movedToAdded).toBe(0);
    expect(report.moved).toBe(report.movedFromRemoved + report.movedBetweenKept);
    expect(report.changes.find(({ name }) => name === "backend-9")).toEqual({
      name: "backend-9",
      slotsBefore: owned,
      slotsAfter: 0,
    });
  });

  test("is the same the other way round, with added for removed", () => {
    const smaller = buildTable(numbered(9), { size });
    const [removal, addition] = [compare(full, smaller), compare(smaller, full)];
    expect(addition.movedToAdded).toBe(removal.movedFromRemoved);
    expect(addition.movedBetweenKept).toBe(removal.movedBetweenKept);
  });

  test("compares by name, not by index", () => {
    const inserted = buildTable([...numbered(10), { name: "a-first-in-order", weight: 0 }], { size });
    expect(compare(full, inserted).moved).toBe(0);
  });

  test("adds up, and gains equal losses, for any two sets", () => {
    const set = fc.subarray(numbered(12));
    fc.assert(
      fc.property(set, set, (a, b) => {
        const report = compare(buildTable(a, { size: 101 }), buildTable(b, { size: 101 }));
        expect(report.moved).toBe(report.movedFromRemoved + report.movedToAdded + report.movedBetweenKept);
        const gained = report.changes.reduce((sum, change) => sum + change.slotsAfter - change.slotsBefore, 0);
        expect(gained).toBe((b.length > 0 ? 101 : 0) - (a.length > 0 ? 101 : 0));
      }),
    );
  });

  test("counts all slots as moved to and from an empty table", () => {
    const empty = buildTable([], { size });
    expect(compare(full, empty)).toMatchObject({ moved: size, movedFromRemoved: size, movedFraction: 1 });
    expect(compare(empty, full)).toMatchObject({ moved: size, movedFromRemoved: 0, movedToAdded: size });
    expect(compare(empty, empty).moved).toBe(0);
  });

  test("refuses tables of different sizes", () => {
    expect(() => compare(full, buildTable(numbered(10), { size: 101 }))).toThrow(/1021 slots with one of 101/);
  });
});
