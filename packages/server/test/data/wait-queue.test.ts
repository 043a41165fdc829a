import { beforeEach, describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import type { Lease, Refusal } from "../../src/data/balancer.ts";
import { MAX_WAITING, POLL_MS, WaitQueue } from "../../src/data/wait-queue.ts";
import { FakeClock } from "../fake-clock.ts";
import { flow } from "./select/candidates.ts";
import { backendUnit } from "./units.ts";

const FULL: Refusal = { kind: "refusal", reason: "backend-limit" };

let clock: FakeClock;
let free: number;
let refusal: Refusal;
let length: number;
let queue: WaitQueue;

const lease = (): Lease => ({
  kind: "lease",
  backend: backendUnit("a"),
  connected() {},
  failed() {},
  judge() {},
  count() {},
  release: () => void (free += 1),
  onRevoke: undefined,
});

beforeEach(() => {
  clock = new FakeClock();
  free = 0;
  length = 0;
  refusal = FULL;
  queue = new WaitQueue({
    clock,
    pick: () => (free > 0 ? ((free -= 1), lease()) : refusal),
    onLength: (change) => (length += change),
  });
});

/** Joins and notes, by name, what comes of it. */
function join(name: string, heard: string[], timeoutMs = 1000) {
  return queue.join(flow(), timeoutMs, (choice) =>
    heard.push(`${name} ${choice.kind === "lease" ? "served" : choice.reason}`),
  );
}

/** After the microtask that serves. */
const settled = (): Promise<void> => Promise.resolve();

describe("places that are given back", () => {
  it("go to those who wait in the order in which they came, after the giver is done", async () => {
    const heard: string[] = [];
    for (const name of "abc") join(name, heard);
    free = 2;
    queue.wake();
    expect(heard).toEqual([]);
    await settled();
    expect(heard).toEqual(["a served", "b served"]);
    expect(length).toBe(1);
  });

  it("by other workers are seen soon", () => {
    const heard: string[] = [];
    join("a", heard);
    clock.advance(3 * POLL_MS);
    free = 1;
    clock.advance(POLL_MS);
    expect(heard).toEqual(["a served"]);
    expect(clock.pending).toBe(0);
  });

  it("pass those who have left", async () => {
    const heard: string[] = [];
    const leave = join("a", heard)!;
    join("b", heard);
    leave();
    leave();
    free = 1;
    queue.wake();
    await settled();
    expect(heard).toEqual(["b served"]);
    expect([free, length]).toEqual([0, 0]);
  });

  it("can be left by one who is served in the same go", async () => {
    const heard: string[] = [];
    let leaveB = (): void => undefined;
    queue.join(flow(), 1000, () => leaveB());
    leaveB = join("b", heard)!;
    join("c", heard);
    free = 2;
    queue.wake();
    await settled();
    expect(heard).toEqual(["c served"]);
  });
});

describe("waiting ends", () => {
  it("with the timeout, each by its own", () => {
    const heard: string[] = [];
    join("a", heard, 1000);
    join("b", heard, 25);
    clock.advance(30);
    expect(heard).toEqual(["b queue-timeout"]);
    clock.advance(969);
    expect(heard).toHaveLength(1);
    clock.advance(POLL_MS);
    expect(heard).toEqual(["b queue-timeout", "a queue-timeout"]);
    expect([length, clock.pending]).toEqual([0, 0]);
  });

  it("for all when there is nobody left to wait for", () => {
    const heard: string[] = [];
    join("a", heard);
    join("b", heard);
    refusal = { kind: "refusal", reason: "no-healthy-backend" };
    clock.advance(POLL_MS);
    expect(heard).toEqual(["a no-healthy-backend", "b no-healthy-backend"]);
  });

  it("when the pool goes", () => {
    const heard: string[] = [];
    join("a", heard);
    queue.dissolve({ kind: "refusal", reason: "no-backend" });
    expect(heard).toEqual(["a no-backend"]);
    expect([length, clock.pending]).toEqual([0, 0]);
  });
});

it("is bounded", () => {
  for (let i = 0; i < MAX_WAITING; i++) expect(join("x", [])).toBeDefined();
  expect(join("x", [])).toBeUndefined();
  expect(length).toBe(MAX_WAITING);
});

it("serves in order and loses nobody, whatever happens", async () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant("join" as const), timeoutMs: fc.integer({ min: 1, max: 100 }) }),
    fc.record({ do: fc.constant("leave" as const), at: fc.nat() }),
    fc.record({ do: fc.constant("free" as const), places: fc.integer({ min: 1, max: 3 }), here: fc.boolean() }),
    fc.record({ do: fc.constant("time" as const), ms: fc.nat(60) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      free = length = 0;
      const waiting = new Map<number, () => void>();
      const served: number[] = [];
      let joined = 0;
      for (const one of steps) {
        if (one.do === "join") {
          const name = joined++;
          const leave = queue.join(flow(), one.timeoutMs, ({ kind }) => {
            expect(waiting.delete(name)).toBe(true);
            if (kind === "lease") served.push(name);
          });
          waiting.set(name, leave!);
        } else if (one.do === "leave") {
          const [name, leave] = [...waiting][one.at % Math.max(1, waiting.size)] ?? [];
          leave?.();
          waiting.delete(name ?? -1);
        } else if (one.do === "free") {
          free += one.places;
          if (one.here) queue.wake();
          await settled();
        } else clock.advance(one.ms);
        expect([length, queue.length]).toEqual([waiting.size, waiting.size]);
      }
      clock.advance(1000);
      expect([waiting.size, length, clock.pending]).toEqual([0, 0, 0]);
      expect(served).toEqual(served.toSorted((a, b) => a - b));
    }),
  );
});
