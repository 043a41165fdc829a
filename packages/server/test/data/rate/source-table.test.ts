import { once } from "node:events";
import { Worker } from "node:worker_threads";

import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import { MAX_SOURCES, SourceTable } from "../../../src/data/rate/source-table.ts";
import type { Hammer } from "./hammer.ts";

const START = Date.UTC(2026, 0, 1);
const address = (number: number): string => `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`;

/** How many of so many attempts at one moment are let in. */
function admitted(table: SourceTable, attempts: number, { ratePerS, epochMs }: { ratePerS: number; epochMs: number }) {
  let count = 0;
  for (let i = 0; i < attempts; i++) if (table.admits("10.0.0.1", ratePerS, epochMs)) count++;
  return count;
}

describe("one source", () => {
  it.each([1, 2, 3, 7, 100, 1000, 33_333])("may come %d times at once, and so often a second", (ratePerS) => {
    const table = SourceTable.create(1);
    expect(admitted(table, 2 * ratePerS, { ratePerS, epochMs: START })).toBe(ratePerS);
    let count = 0;
    for (let ms = 20; ms <= 3000; ms += 20) {
      count += admitted(table, ratePerS / 50 + 2, { ratePerS, epochMs: START + ms });
    }
    expect(Math.abs(count - 3 * ratePerS)).toBeLessThanOrEqual(ratePerS / 100 + 1);
    expect(admitted(table, 2 * ratePerS, { ratePerS, epochMs: START + 4000 })).toBe(ratePerS);
  });

  it("is never let in more often than the burst and the rate allow, whenever it comes", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.array(fc.nat(400), { maxLength: 200 }), (ratePerS, pauses) => {
        const table = SourceTable.create(1);
        const admissions: number[] = [];
        let epochMs = START;
        for (const pause of pauses) {
          epochMs += pause >> 2;
          if (table.admits("10.0.0.1", ratePerS, epochMs)) admissions.push(epochMs);
        }
        // In every stretch of time between two admissions.
        const excesses = admissions.flatMap((from, i) =>
          admissions.slice(i).map((to, j) => j + 1 - ratePerS - ((to - from) * ratePerS) / 1000),
        );
        expect(Math.max(0, ...excesses)).toBeLessThan(0.01);
      }),
    );
  });

  it("is let in by whoever sees the memory, once", () => {
    const one = SourceTable.create(1);
    const other = SourceTable.open(one.memory);
    const answers = Array.from({ length: 6 }, (_, i) => (i % 2 ? one : other).admits("::1", 3, START));
    expect(answers).toEqual([true, true, true, false, false, false]);
  });

  it("begins anew when the clock is put back, or forward, by more than a second", () => {
    const table = SourceTable.create(1);
    expect(admitted(table, 9, { ratePerS: 2, epochMs: START })).toBe(2);
    expect(admitted(table, 9, { ratePerS: 2, epochMs: START - 3_600_000 })).toBe(2);
    expect(admitted(table, 9, { ratePerS: 2, epochMs: START + 3_600_000 })).toBe(2);
  });

  it("is not mistaken for one that came just now when the clock of the table has come round", () => {
    const table = SourceTable.create(1);
    expect(table.admits("10.0.0.1", 1, START)).toBe(true);
    // Others come meanwhile, as they do.
    for (let minutes = 10; minutes < 71; minutes += 10) table.admits("10.9.9.9", 1, START + minutes * 60_000);
    const roundMs = 2 ** 32 / 1000;
    expect(table.admits("10.0.0.1", 1, START + Math.floor(roundMs) + 10)).toBe(true);
  });
});

it("counts exactly what threads ask at the same time of sources that are new", async () => {
  const sources = 3000;
  const { memory } = SourceTable.create(1);
  const meetings = new SharedArrayBuffer(sources * Int32Array.BYTES_PER_ELEMENT);
  const hammer: Hammer = { memory, meetings, threads: 2, attempts: 6, ratePerS: 4, epochMs: START };
  const threads = Array.from(
    { length: hammer.threads },
    () =>
      new Worker(new URL("./hammer.ts", import.meta.url), {
        workerData: hammer,
        execArgv: ["--conditions=@fiberlb/source", "--disable-warning=ExperimentalWarning"],
      }),
  );
  const [one, other] = await Promise.all(
    threads.map(async (thread) => ((await once(thread, "message")) as [readonly number[]])[0]),
  );
  const totals = one!.map((count, source) => count + other![source]!);
  expect(totals.filter((count) => count !== 4)).toEqual([]);
  await Promise.all(threads.map((thread) => thread.terminate()));
});

describe("many sources", () => {
  it("have a rate each", () => {
    const table = SourceTable.create(5);
    for (let i = 0; i < 1000; i++) {
      expect([1, 2, 3].map(() => table.admits(address(i), 2, START))).toEqual([true, true, false]);
    }
    expect(table.forgotten).toBe(0);
  });

  it("beyond the table's size take the places of others, which is counted", () => {
    const table = SourceTable.create(5);
    const refused = Array.from({ length: 2 * MAX_SOURCES }, (_, i) => i).filter(
      (i) => !table.admits(address(i), 1, START),
    );
    expect(refused).toEqual([]);
    expect(table.forgotten).toBeGreaterThan(MAX_SOURCES / 2);
  });

  it("that are quiet give their places without being missed", () => {
    const table = SourceTable.create(5);
    for (let i = 0; i < 2 * MAX_SOURCES; i++) table.admits(address(i), 1000, START + i);
    expect(table.forgotten).toBe(0);
  });
});
