import { Worker } from "node:worker_threads";

import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import { CounterTable, type RowShape } from "../../src/data/counters.ts";

const SHAPE: RowShape = { flags: 2, totals: 3 };

describe("a counter table", () => {
  it("sums over workers", () => {
    const table = CounterTable.create(SHAPE, 3);
    table.reserve(5);
    for (const worker of [0, 1, 2]) {
      const row = table.row(5, worker);
      row.addToGauge(worker + 1);
      row.add(1, 10);
    }
    expect(table.sums(5).gauge()).toBe(6);
    expect(table.sums(5).total(1)).toBe(30);
    expect(table.sums(4).gauge()).toBe(0);
  });

  it("keeps rows, fields and workers apart", () => {
    const place = fc.record({ slot: fc.nat(2100), worker: fc.nat(2), field: fc.nat(2), amount: fc.nat(1e9) });
    fc.assert(
      fc.property(fc.array(place, { maxLength: 40 }), (places) => {
        const table = CounterTable.create(SHAPE, 3);
        const expected = new Map<string, number>();
        for (const { slot, worker, field, amount } of places) {
          table.reserve(slot);
          table.row(slot, worker).add(field, amount);
          expected.set(`${slot} ${field}`, (expected.get(`${slot} ${field}`) ?? 0) + amount);
        }
        for (const [key, total] of expected) {
          const [slot = 0, field = 0] = key.split(" ").map(Number);
          expect(table.sums(slot).total(field)).toBe(total);
        }
      }),
    );
  });

  it("shares flags among all workers", () => {
    const table = CounterTable.create(SHAPE, 2);
    table.reserve(0);
    table.row(0, 0).setFlag(1, 7);
    expect(table.row(0, 1).flag(1)).toBe(7);
    expect([table.row(0, 0).increment(0), table.row(0, 1).increment(0)]).toEqual([0, 1]);
  });

  it("counts turns past 2^31 as unsigned, and wraps around", () => {
    const table = CounterTable.create(SHAPE, 1);
    table.reserve(0);
    const row = table.row(0, 0);
    row.setFlag(0, -1);
    expect([row.increment(0), row.increment(0)]).toEqual([2 ** 32 - 1, 0]);
  });

  it("keeps bytes exact beyond 32 bits", () => {
    const table = CounterTable.create(SHAPE, 1);
    table.reserve(0);
    table.row(0, 0).add(2, 2 ** 52);
    table.row(0, 0).add(2, 1);
    expect(table.sums(0).total(2)).toBe(2 ** 52 + 1);
  });

  it("gives back what a dead worker held and keeps what it counted", () => {
    const table = CounterTable.create(SHAPE, 2);
    table.reserve(1500);
    for (const slot of [0, 1500]) {
      table.row(slot, 0).addToGauge(3);
      table.row(slot, 0).add(0, 100);
      table.row(slot, 1).addToGauge(1);
      table.row(slot, 1).add(0, 10);
    }
    table.fold(0);
    table.row(0, 0).add(0, 1);
    table.fold(0);
    expect([table.sums(0).gauge(), table.sums(1500).gauge()]).toEqual([1, 1]);
    expect([table.sums(0).total(0), table.sums(1500).total(0)]).toEqual([111, 110]);
  });

  it("clears a row for its next owner, and no other", () => {
    const table = CounterTable.create(SHAPE, 2);
    table.reserve(1);
    for (const slot of [0, 1]) {
      table.row(slot, 1).add(2, 5);
      table.row(slot, 1).setFlag(1, 9);
    }
    table.clear(0);
    expect([table.sums(0).total(2), table.sums(0).flag(1)]).toEqual([0, 0]);
    expect([table.sums(1).total(2), table.sums(1).flag(1)]).toEqual([5, 9]);
  });

  it("is the same memory in other threads, also what was added later", async () => {
    const table = CounterTable.create(SHAPE, 2);
    table.reserve(0);
    const other = CounterTable.open(table.memory);
    table.reserve(3000);
    expect(() => other.row(3000, 1)).toThrow("Cannot count in slot 3000: its memory is not attached");
    other.attach(table.memory.segments);
    other.row(3000, 1).addToGauge(4);
    expect(table.sums(3000).gauge()).toBe(4);
  });

  it("loses no count that two threads make at the same time", async () => {
    const table = CounterTable.create(SHAPE, 2);
    table.reserve(0);
    const source = `
      const { workerData: { url, memory, worker } } = require("node:worker_threads");
      import(url).then(({ CounterTable }) => {
        const row = CounterTable.open(memory).row(0, worker);
        for (let time = 0; time < 50_000; time++) { row.add(0, 1); row.increment(0); row.addToGauge(1); }
      });`;
    const url = new URL("../../src/data/counters.ts", import.meta.url).href;
    await Promise.all(
      [0, 1].map((worker) => {
        const thread = new Worker(source, { eval: true, workerData: { url, memory: table.memory, worker } });
        return new Promise((resolve, reject) => thread.once("exit", resolve).once("error", reject));
      }),
    );
    expect([table.sums(0).total(0), table.sums(0).flag(0), table.sums(0).gauge()]).toEqual([100_000, 100_000, 100_000]);
  });
});
