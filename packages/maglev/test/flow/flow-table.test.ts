import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import { FlowTable } from "../../src/index.ts";

function tableWithClock(capacity: number, idleTimeoutMs = 1000) {
  const clock = { ms: 0 };
  const table = new FlowTable<string, number>({ capacity, idleTimeoutMs, now: () => clock.ms });
  return { clock, table };
}

describe("FlowTable", () => {
  test("remembers what a flow was given", () => {
    const { table } = tableWithClock(4);
    table.set("a", 1);
    table.set("a", 2);
    expect([table.get("a"), table.get("b"), table.size]).toEqual([2, undefined, 1]);
    expect(table.counters).toEqual({ hits: 1, misses: 1, evicted: 0, expired: 0 });
  });

  test("lets the least recently used flow go first", () => {
    const { table } = tableWithClock(3);
    for (const key of ["a", "b", "c"]) table.set(key, 0);
    table.get("a");
    table.set("d", 0);
    expect(["a", "b", "c", "d"].map((key) => table.get(key) !== undefined)).toEqual([true, false, true, true]);
    expect(table.counters.evicted).toBe(1);
  });

  test("forgets a flow at its idle timeout, counted from its last use", () => {
    const { clock, table } = tableWithClock(4);
    table.set("a", 1);
    clock.ms = 999;
    expect(table.get("a")).toBe(1);
    clock.ms = 1998;
    expect(table.get("a")).toBe(1);
    clock.ms = 2998;
    expect(table.get("a")).toBeUndefined();
    expect([table.size, table.counters.expired]).toEqual([0, 1]);
  });

  test("expires idle flows in one sweep and counts room made by them as expired", () => {
    const { clock, table } = tableWithClock(2);
    table.set("a", 1);
    clock.ms = 500;
    table.set("b", 1);
    clock.ms = 1200;
    expect([table.expire(), table.size]).toEqual([1, 1]);
    table.set("c", 1);
    clock.ms = 1600;
    table.set("d", 1);
    expect(table.counters).toMatchObject({ evicted: 0, expired: 2 });
  });

  test("track chooses once a flow", () => {
    const { table } = tableWithClock(2);
    const choices = [7, 8];
    const choose = () => choices.shift();
    expect([table.track("a", choose), table.track("a", choose), table.track("b", choose)]).toEqual([7, 7, 8]);
  });

  test("track remembers no refusal", () => {
    const { table } = tableWithClock(2);
    expect(table.track("a", () => undefined)).toBeUndefined();
    expect([table.size, table.track("a", () => 3)]).toEqual([0, 3]);
  });

  test("deletes by key and by value", () => {
    const { table } = tableWithClock(5);
    for (const [key, value] of [
      ["a", 1],
      ["b", 2],
      ["c", 1],
    ] as const)
      table.set(key, value);
    expect([table.delete("b"), table.delete("b"), table.deleteWhere((value) => value === 1), table.size]).toEqual([
      true,
      false,
      2,
      0,
    ]);
  });

  test.each([0, -1, 1.5, 2 ** 25])("a capacity of %d is refused", (capacity) => {
    expect(() => tableWithClock(capacity)).toThrow(`Cannot track ${capacity} flows`);
  });

  test.each([0, -5, Number.NaN])("an idle timeout of %d ms is refused", (timeout) => {
    expect(() => tableWithClock(1, timeout)).toThrow(`idle timeout of ${timeout} ms`);
  });
});

/** The same in the plainest way: a Map keeps its keys in the order of use. */
class PlainFlows {
  readonly flows = new Map<string, { value: number; usedAt: number }>();

  get(key: string, now: number): number | undefined {
    const flow = this.flows.get(key);
    this.flows.delete(key);
    if (flow === undefined || now - flow.usedAt >= 50) return undefined;
    this.flows.set(key, { value: flow.value, usedAt: now });
    return flow.value;
  }

  set(key: string, value: number, now: number): void {
    this.flows.delete(key);
    if (this.flows.size === 4) this.flows.delete(this.flows.keys().next().value as string);
    this.flows.set(key, { value, usedAt: now });
  }
}

test("behaves as an ordered map does, over any sequence of calls, and never exceeds its capacity", () => {
  const call = fc.record({
    kind: fc.constantFrom("get", "set", "delete", "expire"),
    key: fc.constantFrom("a", "b", "c", "d", "e", "f"),
    waitMs: fc.constantFrom(0, 1, 20, 60),
    value: fc.nat(9),
  });
  fc.assert(
    fc.property(fc.array(call, { maxLength: 60 }), (calls) => {
      const { clock, table } = tableWithClock(4, 50);
      const plain = new PlainFlows();
      for (const { kind, key, waitMs, value } of calls) {
        clock.ms += waitMs;
        if (kind === "set") {
          table.set(key, value);
          plain.set(key, value, clock.ms);
        } else if (kind === "delete") {
          table.delete(key);
          plain.flows.delete(key);
        } else if (kind === "expire") {
          table.expire();
          for (const [name, flow] of plain.flows) if (clock.ms - flow.usedAt >= 50) plain.flows.delete(name);
        } else {
          expect(table.get(key)).toBe(plain.get(key, clock.ms));
        }
        expect(table.size).toBeLessThanOrEqual(4);
      }
    }),
  );
});
