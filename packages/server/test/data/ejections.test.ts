import { beforeEach, describe, expect, it } from "@jest/globals";

import type { Ejection } from "../../src/data/data-plane.ts";
import { Ejections } from "../../src/data/ejections.ts";
import type { BackendHealth, PoolUnit, Unit } from "../../src/snapshot/snapshot.ts";
import { FakeClock } from "../fake-clock.ts";
import { backendUnit, poolUnit, unit } from "./units.ts";

const DETECTION = { consecutiveErrors: 5, ejectionMs: 30_000, maxEjectedPercent: 50 };

let clock: FakeClock;
let out: Set<string>;
let health: Map<string, BackendHealth>;
let lines: { readonly event: string; readonly fields: unknown }[];
let told: Ejection[];
let ejections: Ejections;

const web = (ids = "abcd", part: Partial<PoolUnit> = { outlierDetection: DETECTION }): Unit =>
  unit({
    pools: [
      poolUnit(
        Array.from(ids, (id) => backendUnit(id)),
        part,
      ),
    ],
  });

beforeEach(() => {
  clock = new FakeClock();
  out = new Set();
  health = new Map();
  [lines, told] = [[], []];
  const tell = (event: string, fields?: unknown): void => void lines.push({ event, fields });
  ejections = new Ejections({
    clock,
    board: {
      healthOf: (id) => health.get(id) ?? "ONLINE",
      setEjected: (id, ejected) => void (ejected ? out.add(id) : out.delete(id)),
    },
    log: { info: tell, warn: tell, error: tell },
    onEjection: (ejection) => told.push(ejection),
  });
  ejections.update(undefined, web());
});

const fail = (...ids: readonly string[]): void => ids.forEach((id) => ejections.note("pool", id));

describe("a backend that fails", () => {
  it("is left out for its time and comes back", () => {
    fail("a");
    expect([...out]).toEqual(["a"]);
    clock.advance(29_999);
    expect([...out]).toEqual(["a"]);
    clock.advance(1);
    expect([...out]).toEqual([]);
    expect(lines.map(({ event }) => event)).toEqual([
      "backend is ejected: it fails real traffic",
      "backend is back after its ejection",
    ]);
    expect(told).toEqual([
      { loadBalancerId: "lb", backendId: "a", until: "2026-01-01T00:00:30.000Z" },
      { loadBalancerId: "lb", backendId: "a" },
    ]);
    expect(lines[0]?.fields).toMatchObject({ backendId: "a", pool: "pool", until: "2026-01-01T00:00:30.000Z" });
  });

  it("stays away longer when it fails again soon, and is forgiven in time", () => {
    fail("a");
    clock.advance(30_000);
    fail("a");
    clock.advance(59_999);
    expect([...out]).toEqual(["a"]);
    clock.advance(1 + 60_000);
    fail("a");
    clock.advance(30_000);
    expect([...out]).toEqual([]);
  });

  it("stays in when too many are out, which is said, but not each time", () => {
    fail("a", "b", "c", "c");
    expect([...out]).toEqual(["a", "b"]);
    expect(lines.slice(2).map(({ event }) => event)).toEqual([
      "backend fails real traffic and is not ejected: max_ejected_percent of the pool are ejected already",
    ]);
  });

  it("is looked at again soon after it could not be ejected", () => {
    fail("a", "b", "c");
    clock.advance(30_000);
    fail("c");
    expect([...out]).toEqual(["c"]);
    for (const id of "abd") health.set(id, "OFFLINE");
    clock.advance(30_000);
    fail("c");
    for (const id of "abd") health.set(id, "ONLINE");
    fail("c");
    expect([...out]).toEqual([]);
    clock.advance(100);
    fail("c");
    expect([...out]).toEqual(["c"]);
  });

  it("stays in when it is the last one that serves", () => {
    for (const id of "bcd") health.set(id, "OFFLINE");
    fail("a");
    expect([...out]).toEqual([]);
    expect(lines[0]?.event).toContain("the last one that serves");
  });

  it("is told once, however many workers have seen it", () => {
    fail("a", "a");
    expect(lines).toHaveLength(1);
  });
});

describe("a new configuration", () => {
  it("without outlier detection has all back at once", () => {
    fail("a");
    ejections.update(web(), web("abcd", {}));
    expect([...out]).toEqual([]);
    fail("b");
    expect([...out]).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it("keeps who is out, and forgets those that are gone", () => {
    fail("a", "b");
    ejections.update(web(), web("bcd"));
    expect([...out]).toEqual(["b"]);
    fail("c");
    expect([...out]).toEqual(["b"]);
    ejections.update(web("bcd"), undefined);
    expect([...out]).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});
