import { beforeEach, describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import { FlowTable, type TabledFlow } from "../../../src/data/l4/flow-table.ts";
import { FakeClock } from "../../fake-clock.ts";

class Flow implements TabledFlow<Flow> {
  usedAtMs = 0;
  newer: Flow | undefined;
  older: Flow | undefined;
  readonly key: string;

  constructor(key: string) {
    this.key = key;
  }
}

const TIMEOUT_MS = 16_000;
const LATEST_MS = TIMEOUT_MS + 1000;

let clock: FakeClock;
let expired: { key: string; atMs: number }[];
let table: FlowTable<Flow>;

beforeEach(() => {
  clock = new FakeClock();
  expired = [];
  table = tableWith(TIMEOUT_MS);
});

function tableWith(timeoutMs: number): FlowTable<Flow> {
  const made = new FlowTable<Flow>(clock, timeoutMs, (flow) => {
    expired.push({ key: flow.key, atMs: clock.nowMs() });
    made.remove(flow);
  });
  return made;
}

function add(key: string): Flow {
  const flow = new Flow(key);
  table.add(flow);
  return flow;
}

describe("a flow", () => {
  it("is found until it is removed, once", () => {
    const flow = add("a");
    expect(table.get("a")).toBe(flow);
    expect(table.remove(flow)).toBe(true);
    expect(table.remove(flow)).toBe(false);
    expect(table.get("a")).toBeUndefined();
    expect(table.size).toBe(0);
  });

  it("that was removed is not brought back by a late datagram, nor is its successor disturbed", () => {
    const first = add("a");
    table.remove(first);
    const second = add("a");
    table.touch(first);
    expect(table.remove(first)).toBe(false);
    expect(table.get("a")).toBe(second);
    expect(table.oldest).toBe(second);
  });

  it("expires one timeout after its last datagram, a sixteenth late at most, never early", () => {
    const flow = add("a");
    clock.advance(10_000);
    table.touch(flow);
    clock.advance(TIMEOUT_MS - 1);
    expect(expired).toEqual([]);
    clock.advance(LATEST_MS - TIMEOUT_MS + 1);
    expect(expired.map(({ key }) => key)).toEqual(["a"]);
    expect(table.size).toBe(0);
  });

  it("that goes on is kept for ever", () => {
    const flow = add("a");
    for (let i = 0; i < 100; i++) {
      clock.advance(TIMEOUT_MS - 1);
      table.touch(flow);
    }
    expect(expired).toEqual([]);
  });
});

describe("the timer", () => {
  it("runs only while there are flows", () => {
    expect(clock.pending).toBe(0);
    const [one, two] = [add("a"), add("b")];
    expect(clock.pending).toBe(1);
    table.remove(one);
    table.remove(two);
    expect(clock.pending).toBe(0);
  });

  it("is one for all flows", () => {
    for (let i = 0; i < 1000; i++) add(`${i}`);
    expect(clock.pending).toBe(1);
  });

  it("follows a new timeout, shorter or longer", () => {
    add("a");
    clock.advance(5000);
    table.timeoutMs = 4000;
    clock.advance(250);
    expect(expired).toHaveLength(1);
    add("b");
    table.timeoutMs = 100_000;
    clock.advance(99_999);
    expect(expired).toHaveLength(1);
  });

  it("is off with timeout 0", () => {
    table = tableWith(0);
    add("a");
    expect(clock.pending).toBe(0);
    table.timeoutMs = 1000;
    expect(clock.pending).toBe(1);
    table.timeoutMs = 0;
    expect(clock.pending).toBe(0);
  });

  it("ends thousands in parts, so that datagrams get their turn", () => {
    for (let i = 0; i < 1000; i++) add(`${i}`);
    clock.advance(TIMEOUT_MS);
    expect(expired.length).toBeLessThan(500);
    expect(expired.length).toBeGreaterThan(0);
    clock.advance(10);
    expect(expired).toHaveLength(1000);
    expect(clock.pending).toBe(0);
  });
});

it("ten thousand clients with one question each leave nothing", () => {
  for (let i = 0; i < 10_000; i++) {
    const flow = add(`192.0.2.7 ${i}`);
    // The answer.
    table.touch(flow);
    clock.advance(1);
  }
  expect(table.size).toBe(10_000);
  clock.advance(LATEST_MS + 100);
  expect(table.size).toBe(0);
  expect(expired).toHaveLength(10_000);
  expect(clock.pending).toBe(0);
});

it("the oldest is always the one without a datagram for the longest time", () => {
  const step = fc.record({
    what: fc.constantFrom("add", "touch", "remove", "wait"),
    key: fc.integer({ min: 0, max: 8 }).map(String),
    ms: fc.integer({ min: 0, max: 9000 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      clock = new FakeClock();
      expired = [];
      table = tableWith(TIMEOUT_MS);
      /** Keys in the order of their last datagrams. */
      const model = new Map<string, number>();
      for (const { what, key, ms } of steps) {
        const known = table.get(key);
        if (what === "wait") {
          clock.advance(ms);
        } else if (what === "remove") {
          if (known !== undefined) table.remove(known);
          model.delete(key);
        } else if (what === "touch" ? known !== undefined : true) {
          if (known === undefined) add(key);
          else table.touch(known);
          model.delete(key);
          model.set(key, clock.nowMs());
        }
        for (const { key: gone, atMs } of expired.splice(0)) {
          expect(atMs - model.get(gone)!).toBeGreaterThanOrEqual(TIMEOUT_MS);
          model.delete(gone);
        }
        for (const usedAtMs of model.values()) expect(clock.nowMs() - usedAtMs).toBeLessThan(LATEST_MS);
        expect(table.size).toBe(model.size);
        expect(table.oldest?.key).toBe(model.keys().next().value);
        expect([...table.values()].map((flow) => flow.key).toSorted()).toEqual([...model.keys()].toSorted());
      }
    }),
  );
});
