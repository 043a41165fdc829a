import { beforeEach, describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import { observe, unknownHealth } from "../../src/health/health.ts";
import { createHealthMonitor, type HealthMonitor, type HealthMonitorOptions } from "../../src/health/monitor.ts";
import type { Probe, ProbeResult, ProbeTarget } from "../../src/health/probes/probe.ts";
import type { HealthCheckSettings, HealthTarget, Verdict } from "../../src/health/target.ts";
import { FakeClock } from "./fake-clock.ts";

const check: HealthCheckSettings = { type: "TCP", intervalMs: 5000, timeoutMs: 2000, rise: 2, fall: 3 };
const ok: ProbeResult = { passed: true, latencyMs: 1 };
const refused: ProbeResult = { passed: false, reason: "connection refused by 10.0.0.1:80" };

function target(id: string, changes: Partial<HealthTarget> = {}): HealthTarget {
  const ids = { poolId: "pool", backendId: id, loadBalancerId: "lb" };
  const names = { poolName: "app", backendName: id, loadBalancerName: "web" };
  return { ...ids, ...names, host: "10.0.0.1", address: "10.0.0.1", port: 80, check, ...changes };
}

function unresolved(id: string, changes: Partial<HealthTarget> = {}): HealthTarget {
  const { address: _, ...rest } = target(id, { host: "db.internal", ...changes });
  return rest;
}

let clock: FakeClock;
let verdicts: Verdict[];
/** Answers of the fake probe: the next result, or what a test does with the call. */
let answer: (target: ProbeTarget, signal: AbortSignal) => ProbeResult | Promise<ProbeResult>;
let startsMs: number[];
let running: number;
let mostRunning: number;

const fakeProbe: Probe = async (at, _options, { signal }) => {
  startsMs.push(clock.nowMs());
  running += 1;
  mostRunning = Math.max(mostRunning, running);
  try {
    return await answer(at, signal);
  } finally {
    running -= 1;
  }
};

function monitorWith(options: Partial<HealthMonitorOptions> = {}): HealthMonitor {
  const probes = {
    TCP: fakeProbe,
    UDP: fakeProbe,
    HTTP: fakeProbe,
    HTTPS: fakeProbe,
    TLS_HELLO: fakeProbe,
    GRPC: fakeProbe,
  };
  const onVerdict = (verdict: Verdict): void => void verdicts.push(verdict);
  return createHealthMonitor({ clock, random: () => 0.5, onVerdict, probes, ...options });
}

/** A probe that answers when its time is up, or when cancelled. */
const hang = (afterMs: number) => (_: ProbeTarget, signal: AbortSignal) =>
  new Promise<ProbeResult>((resolve) => {
    clock.after(afterMs, () => resolve(refused));
    signal.addEventListener("abort", () => resolve({ passed: false, reason: "cancelled", inconclusive: true }));
  });

const healths = (): string[] => verdicts.map(({ backendId, health }) => `${backendId} ${health}`);

beforeEach(() => {
  clock = new FakeClock();
  verdicts = [];
  startsMs = [];
  running = 0;
  mostRunning = 0;
  answer = () => ok;
});

describe("schedule", () => {
  test("the first check is made at once, the others an interval apart", async () => {
    monitorWith().apply([target("a")]);
    await clock.advance(15_000);
    expect(startsMs).toEqual([0, 5000, 10_000, 15_000]);
  });

  test.each([
    [0, 4500],
    [0.25, 4750],
    [0.999_999, 5500],
  ])("intervals vary by ±10 %%: chance %d gives %d ms", async (chance, expected) => {
    monitorWith({ random: () => chance }).apply([target("a")]);
    await clock.advance(6000);
    expect(startsMs[1]).toBeCloseTo(expected, 1);
  });

  test("a check that outlasts the interval is not overlapped; the next follows at once", async () => {
    answer = hang(7000);
    monitorWith().apply([target("a")]);
    await clock.advance(14_000);
    expect(startsMs).toEqual([0, 7000, 14_000]);
    expect(mostRunning).toBe(1);
  });

  test("a few new targets start together, many are spread evenly over a second", async () => {
    const monitor = monitorWith();
    monitor.apply(Array.from({ length: 64 }, (_, i) => target(`few${i}`)));
    await clock.advance(0);
    expect(startsMs).toHaveLength(64);
    startsMs = [];
    monitor.apply(Array.from({ length: 1000 }, (_, i) => target(`many${i}`)));
    await clock.advance(999);
    expect(startsMs).toEqual(Array.from({ length: 1000 }, (_, i) => expect.closeTo(i, 6)));
  });

  test("the spread never exceeds the interval", async () => {
    monitorWith().apply(
      Array.from({ length: 200 }, (_, i) => target(`${i}`, { check: { ...check, intervalMs: 100 } })),
    );
    await clock.advance(100);
    expect(Math.max(...startsMs.slice(0, 200))).toBeLessThan(100);
  });

  test("no more checks run at once than allowed; the others wait their turn", async () => {
    answer = hang(100);
    monitorWith({ maxConcurrent: 3 }).apply(Array.from({ length: 7 }, (_, i) => target(`${i}`)));
    await clock.advance(299);
    expect(startsMs).toEqual([0, 0, 0, 100, 100, 100, 200]);
    expect(mostRunning).toBe(3);
  });

  test("a target removed while it waits in line leaves its turn to the next", async () => {
    answer = hang(100);
    const monitor = monitorWith({ maxConcurrent: 1 });
    monitor.apply([target("a"), target("b"), target("c")]);
    await clock.advance(50);
    monitor.apply([target("a"), target("c")]);
    await clock.advance(100);
    expect(monitor.reports().map(({ target: { backendId }, history }) => `${backendId} ${history.length}`)).toEqual([
      "a 1",
      "c 0",
    ]);
    expect(startsMs).toEqual([0, 100]);
  });
});

describe("verdicts", () => {
  test("only transitions are reported, the first verdict among them", async () => {
    const results = [ok, ok, refused, refused, refused, refused, ok, ok, ok];
    answer = () => results.shift() ?? ok;
    monitorWith().apply([target("a")]);
    await clock.advance(60_000);
    expect(verdicts.map(({ health, previous, reason, atMs }) => [health, previous, reason, atMs])).toEqual([
      ["ONLINE", "UNKNOWN", "", 1_700_000_000_000],
      ["OFFLINE", "ONLINE", "connection refused by 10.0.0.1:80", 1_700_000_020_000],
      ["ONLINE", "OFFLINE", "", 1_700_000_035_000],
    ]);
    expect(verdicts[0]).toMatchObject({ poolId: "pool", backendId: "a", loadBalancerId: "lb" });
  });

  test("the verdicts are those of the machine, whatever the results", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { minLength: 1, maxLength: 30 }), async (passes) => {
        clock = new FakeClock();
        verdicts = [];
        const results = passes.map((passed) => (passed ? ok : refused));
        const states = results.reduce(
          (all, result) => [...all, observe(all.at(-1) ?? unknownHealth, result, check)],
          [unknownHealth],
        );
        answer = () => results.shift() ?? ok;
        const monitor = monitorWith();
        monitor.apply([target("a")]);
        await clock.advance(5000 * (passes.length - 1));
        monitor.stop();
        const expected = states.map(({ health }) => health).filter((health, i, all) => i > 0 && health !== all[i - 1]);
        expect(verdicts.map(({ health }) => health)).toEqual(expected);
        expect(monitor.figures().transitions).toBe(expected.length);
      }),
      { numRuns: 30 },
    );
  });

  test("a shortage of this node counts neither for nor against the backend", async () => {
    const shortage: ProbeResult = { passed: false, reason: "no file descriptors left", inconclusive: true };
    const results = [shortage, ok, refused, refused, shortage, refused];
    answer = () => results.shift() ?? ok;
    const monitor = monitorWith();
    monitor.apply([target("a")]);
    await clock.advance(0);
    expect(verdicts).toEqual([]);
    expect(monitor.report("pool", "a")).toMatchObject({ health: "UNKNOWN", reason: "no file descriptors left" });
    await clock.advance(25_000);
    expect(healths()).toEqual(["a ONLINE", "a OFFLINE"]);
    expect(monitor.figures().checks).toEqual({ passed: 1, failed: 3, inconclusive: 2 });
  });

  test("a probe that throws is our defect: inconclusive, and the schedule goes on", async () => {
    answer = () => {
      throw new TypeError("x is undefined");
    };
    const monitor = monitorWith();
    monitor.apply([target("a")]);
    await clock.advance(5000);
    expect(monitor.report("pool", "a")).toMatchObject({
      health: "UNKNOWN",
      reason: "TCP check could not be made: x is undefined",
      checks: { inconclusive: 2 },
    });
  });
});

describe("a changed set", () => {
  test("the same set again changes nothing", async () => {
    const monitor = monitorWith();
    monitor.apply([target("a")]);
    await clock.advance(2500);
    monitor.apply([target("a")]);
    await clock.advance(2500);
    expect(startsMs).toEqual([0, 5000]);
  });

  test("a removed target is not checked and not reported any more, not even by a check that runs", async () => {
    answer = (_, signal) => (startsMs.length === 1 ? ok : hang(1000)(_, signal));
    const monitor = monitorWith();
    monitor.apply([target("a", { check: { ...check, fall: 1 } })]);
    await clock.advance(5500);
    expect(running).toBe(1);
    monitor.apply([]);
    await clock.advance(60_000);
    expect(running).toBe(0);
    expect(startsMs).toEqual([0, 5000]);
    expect(healths()).toEqual(["a ONLINE"]);
    expect(monitor.report("pool", "a")).toBeUndefined();
  });

  test("stop cancels what runs and what is planned", async () => {
    answer = hang(1000);
    const monitor = monitorWith({ maxConcurrent: 1 });
    monitor.apply([target("a"), target("b")]);
    await clock.advance(10);
    monitor.stop();
    await clock.advance(60_000);
    expect([startsMs, running, verdicts, clock.pending]).toEqual([[0], 0, [], 0]);
  });

  test("changed thresholds keep state and schedule", async () => {
    const results = [ok, refused, refused];
    answer = () => results.shift() ?? refused;
    const monitor = monitorWith();
    monitor.apply([target("a")]);
    await clock.advance(7500);
    monitor.apply([target("a", { check: { ...check, fall: 2 } })]);
    await clock.advance(2500);
    expect(startsMs).toEqual([0, 5000, 10_000]);
    expect(healths()).toEqual(["a ONLINE", "a OFFLINE"]);
  });

  test("a shorter interval holds at once, and a check that is overdue by it is made now", async () => {
    const monitor = monitorWith();
    monitor.apply([target("a", { check: { ...check, intervalMs: 60_000 } })]);
    await clock.advance(3000);
    monitor.apply([target("a", { check: { ...check, intervalMs: 1000 } })]);
    await clock.advance(2000);
    expect(startsMs).toEqual([0, 3000, 4000, 5000]);
  });

  test.each([
    ["address", { address: "10.0.0.2" }],
    ["port", { port: 81 }],
    ["type", { check: { ...check, type: "HTTP" as const } }],
  ])("another %s starts again at UNKNOWN, with a check at once", async (_, changes) => {
    const monitor = monitorWith();
    monitor.apply([target("a")]);
    await clock.advance(1000);
    answer = () => refused;
    monitor.apply([target("a", changes)]);
    expect(healths()).toEqual(["a ONLINE", "a UNKNOWN"]);
    expect(verdicts[1]?.reason).toBe("changed, not checked yet");
    await clock.advance(0);
    expect(healths()).toEqual(["a ONLINE", "a UNKNOWN", "a OFFLINE"]);
    expect(startsMs).toEqual([0, 1000]);
  });

  test("a check of the old address that still runs says nothing about the new one", async () => {
    const results = [hang(1000), () => ok];
    answer = (at, signal) => (results.shift() ?? (() => ok))(at, signal);
    const monitor = monitorWith();
    monitor.apply([target("a")]);
    await clock.advance(500);
    monitor.apply([target("a", { address: "10.0.0.2" })]);
    await clock.advance(2000);
    expect(healths()).toEqual(["a ONLINE"]);
  });
});

describe("the targets of some load balancers", () => {
  const of = (loadBalancerId: string, ...ids: string[]): HealthTarget[] =>
    ids.map((id) => target(id, { loadBalancerId }));
  const checked = (monitor: HealthMonitor): string[] =>
    monitor.reports().map(({ target: { loadBalancerId, backendId } }) => `${loadBalancerId}/${backendId}`);

  beforeEach(() => {
    answer = () => ok;
  });

  test("replace theirs and leave the others'", () => {
    const monitor = monitorWith();
    monitor.applyTo(new Map(Object.entries({ one: of("one", "a", "b"), two: of("two", "c") })));
    monitor.applyTo(new Map([["one", of("one", "b", "d")]]));
    expect(checked(monitor)).toEqual(["one/b", "two/c", "one/d"]);
    monitor.applyTo(new Map([["two", []]]));
    expect(checked(monitor)).toEqual(["one/b", "one/d"]);
  });

  test("keep their schedule and state when they are given again", async () => {
    const monitor = monitorWith();
    monitor.applyTo(new Map([["one", of("one", "a")]]));
    await clock.advance(0);
    expect(healths()).toEqual(["a ONLINE"]);
    monitor.applyTo(new Map([["one", of("one", "a")]]));
    await clock.advance(1000);
    expect(startsMs).toEqual([0]);
    expect(monitor.report("pool", "a")?.health).toBe("ONLINE");
  });

  test("end with a whole set that does not have them", () => {
    const monitor = monitorWith();
    monitor.applyTo(new Map(Object.entries({ one: of("one", "a"), two: of("two", "b") })));
    monitor.apply(of("two", "b"));
    expect(checked(monitor)).toEqual(["two/b"]);
    monitor.applyTo(new Map([["one", of("one", "a")]]));
    expect(checked(monitor)).toEqual(["two/b", "one/a"]);
  });
});

describe("a backend without an address", () => {
  test("is OFFLINE at once, with the reason, and is not checked", async () => {
    monitorWith().apply([unresolved("a", { addressProblem: "NXDOMAIN" }), unresolved("b")]);
    await clock.advance(60_000);
    expect(startsMs).toEqual([]);
    expect(verdicts.map(({ health, reason }) => `${health}: ${reason}`)).toEqual([
      "OFFLINE: name db.internal has no address: NXDOMAIN",
      "OFFLINE: name db.internal has no address",
    ]);
  });

  test("is checked as soon as it has one, and leaves when it loses it", async () => {
    const monitor = monitorWith();
    monitor.apply([unresolved("a")]);
    monitor.apply([target("a", { host: "db.internal" })]);
    await clock.advance(0);
    monitor.apply([unresolved("a")]);
    expect(healths()).toEqual(["a OFFLINE", "a UNKNOWN", "a ONLINE", "a OFFLINE"]);
    await clock.advance(60_000);
    expect(startsMs).toEqual([0]);
  });

  test("tells a new reason in its report", () => {
    const monitor = monitorWith();
    monitor.apply([unresolved("a")]);
    monitor.apply([unresolved("a", { addressProblem: "resolver timed out" })]);
    expect(monitor.report("pool", "a")?.reason).toBe("name db.internal has no address: resolver timed out");
    expect(verdicts).toHaveLength(1);
  });
});

test("a report holds the last checks, newest first, and what they add up to", async () => {
  const results = [ok, refused, ok];
  answer = () => results.shift() ?? refused;
  const monitor = monitorWith({ historySize: 2 });
  monitor.apply([target("a")]);
  await clock.advance(10_000);
  expect(monitor.report("pool", "a")).toEqual({
    target: target("a"),
    health: "ONLINE",
    reason: "",
    passes: 1,
    failures: 0,
    history: [
      { atMs: 1_700_000_010_000, result: "passed", latencyMs: 1 },
      { atMs: 1_700_000_005_000, result: "failed", reason: "connection refused by 10.0.0.1:80" },
    ],
    checks: { passed: 2, failed: 1, inconclusive: 0 },
    transitions: 1,
  });
});
