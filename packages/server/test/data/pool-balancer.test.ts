import { beforeEach, describe, expect, it } from "@jest/globals";

import type { Lease, Refusal } from "../../src/data/balancer.ts";
import { CounterTable, type Row } from "../../src/data/counters.ts";
import { BACKEND_ROW, backendFigures, POOL_FLAG, POOL_ROW, setHealth } from "../../src/data/figures.ts";
import { PoolBalancer } from "../../src/data/pool-balancer.ts";
import type { BackendHealth, BackendUnit, PoolUnit } from "../../src/snapshot/snapshot.ts";
import { FakeClock } from "../fake-clock.ts";
import { flow, seededRandom } from "./select/candidates.ts";
import { backendUnit, poolUnit } from "./units.ts";

const WORKERS = 2;
const IDS = ["a", "b", "c", "d"];

let clock: FakeClock;
let backendRows: CounterTable;
let poolRows: CounterTable;

beforeEach(() => {
  clock = new FakeClock();
  backendRows = CounterTable.create(BACKEND_ROW, WORKERS);
  poolRows = CounterTable.create(POOL_ROW, WORKERS);
  backendRows.reserve(IDS.length);
  poolRows.reserve(0);
});

const rowOf =
  (worker = 0) =>
  (backendId: string): Row =>
    backendRows.row(IDS.indexOf(backendId), worker);

function balancer(pool: PoolUnit, worker = 0): PoolBalancer {
  return new PoolBalancer(pool, {
    clock,
    random: seededRandom(1),
    row: poolRows.row(0, worker),
    rowOf: rowOf(worker),
    table: () => undefined,
  });
}

function health(backendId: string, said: BackendHealth): void {
  setHealth(rowOf()(backendId), said);
  poolRows.row(0, 0).increment(POOL_FLAG.generation);
}

function leased(choice: Lease | Refusal): Lease {
  if (choice.kind === "refusal") throw new Error(`refused: ${choice.reason}`);
  return choice;
}

/** Picks so many times, holding nothing: whom. */
function picks(from: PoolBalancer, times: number): string {
  return Array.from({ length: times }, (_, client) => {
    const lease = leased(from.pick(flow(client)));
    lease.release();
    return lease.backend.id;
  }).join("");
}

const three = (part: Partial<BackendUnit> = {}): BackendUnit[] => ["a", "b", "c"].map((id) => backendUnit(id, part));

describe("picking", () => {
  it("turns over all workers", () => {
    const pool = poolUnit(three());
    const workers = [balancer(pool, 0), balancer(pool, 1)];
    const order = Array.from({ length: 6 }, (_, time) => picks(workers[time % 2] as PoolBalancer, 1));
    expect(order.join("")).toBe("abcabc");
  });

  it("follows health bits at the next pick", () => {
    const one = balancer(poolUnit(three({ monitored: true })));
    expect(picks(one, 3)).toBe("abc");
    health("b", "OFFLINE");
    expect(new Set(picks(one, 6))).toEqual(new Set("ac"));
    health("c", "ONLINE");
    expect(picks(one, 3)).toBe("ccc");
    health("b", "ONLINE");
    expect(new Set(picks(one, 6))).toEqual(new Set("bc"));
  });

  it("says why there is nobody", () => {
    expect(balancer(poolUnit([])).pick(flow())).toEqual({ kind: "refusal", reason: "no-backend" });
    expect(balancer(poolUnit(three({ weight: 0 }))).pick(flow())).toEqual({ kind: "refusal", reason: "no-backend" });
    const down = balancer(poolUnit(three({ monitored: true })));
    for (const id of ["a", "b", "c"]) health(id, "OFFLINE");
    expect(down.pick(flow())).toEqual({ kind: "refusal", reason: "no-healthy-backend" });
  });

  it("sees connections of other workers", () => {
    const pool = poolUnit(three(), { algorithm: "LEAST_CONNECTIONS" });
    const [one, other] = [balancer(pool, 0), balancer(pool, 1)];
    const first = [leased(one.pick(flow())), leased(one.pick(flow()))].map(({ backend }) => backend.id);
    const third = leased(other.pick(flow())).backend.id;
    expect([...first, third].toSorted()).toEqual(["a", "b", "c"]);
  });

  it("goes elsewhere when the first choice was tried already, backups last", () => {
    const backends = [backendUnit("a"), backendUnit("b"), backendUnit("c", { backup: true })];
    const one = balancer(poolUnit(backends));
    expect(leased(one.pick(flow(), new Set(["a"]))).backend.id).toBe("b");
    expect(leased(one.pick(flow(), new Set(["a", "b"]))).backend.id).toBe("c");
    expect(one.pick(flow(), new Set(["a", "b", "c"]))).toEqual({ kind: "refusal", reason: "no-healthy-backend" });
  });
});

describe("connection limits", () => {
  it("hold over all workers, and give way when a connection ends", () => {
    const pool = poolUnit([backendUnit("a", { maxConnections: 3 })]);
    const workers = [balancer(pool, 0), balancer(pool, 1)];
    const leases = Array.from({ length: 3 }, (_, time) => leased((workers[time % 2] as PoolBalancer).pick(flow())));
    for (const worker of workers) expect(worker.pick(flow())).toEqual({ kind: "refusal", reason: "backend-limit" });
    leases[0]?.release();
    expect(leased((workers[1] as PoolBalancer).pick(flow())).backend.id).toBe("a");
  });

  it("send traffic to the others in turn, then to backups", () => {
    const full = { maxConnections: 1 };
    const backends = [backendUnit("a", full), backendUnit("b", full), backendUnit("c", { backup: true })];
    const one = balancer(poolUnit(backends));
    const got = Array.from({ length: 4 }, () => leased(one.pick(flow())).backend.id);
    expect(got).toEqual(["a", "b", "c", "c"]);
  });

  it("share what a full backend can't take evenly", () => {
    const one = balancer(poolUnit([backendUnit("a", { maxConnections: 1 }), backendUnit("b"), backendUnit("c")]));
    leased(one.pick(flow()));
    const counts = picks(one, 300).split("b").length - 1;
    expect(counts).toBe(150);
  });
});

describe("leases", () => {
  it("count what they carry", () => {
    const one = balancer(poolUnit([backendUnit("a")]));
    const lease = leased(one.pick(flow()));
    lease.connected();
    lease.count(10, 2000);
    lease.count(0, 5);
    const failed = leased(one.pick(flow()));
    failed.failed();
    failed.release();
    failed.release();
    const figures = {
      connectionsTotal: 1,
      connectErrorsTotal: 1,
      bytesIn: 10,
      bytesOut: 2005,
      isEjected: false,
      ejectionsTotal: 0,
    };
    expect(backendFigures(rowOf()("a"))).toEqual({ ...figures, connectionsActive: 1 });
    lease.release();
    expect(backendFigures(rowOf()("a"))).toEqual({ ...figures, connectionsActive: 0 });
  });

  /** Takes a lease on a and one on b. @returns what they were told. */
  function hold(one: PoolBalancer): { told: string[]; release: () => void } {
    const told: string[] = [];
    const leases = ["a", "b"].map((id) =>
      leased(one.pick(flow(), new Set(["a", "b", "c"].filter((other) => other !== id)))),
    );
    for (const lease of leases) lease.onRevoke = (reason) => told.push(`${lease.backend.id} ${reason}`);
    return { told, release: () => leases.forEach((lease) => lease.release()) };
  }

  it.each([
    { how: "is removed", backends: [backendUnit("b"), backendUnit("c")] },
    { how: "gets weight 0", backends: [backendUnit("a", { weight: 0 }), backendUnit("b"), backendUnit("c")] },
    { how: "is disabled", backends: [backendUnit("a", { enabled: false }), backendUnit("b"), backendUnit("c")] },
  ])("last until the drain time is over when their backend $how", ({ backends }) => {
    const one = balancer(poolUnit(three(), { drainTimeoutMs: 1000 }));
    const { told } = hold(one);
    one.update(poolUnit(backends, { drainTimeoutMs: 1000 }), rowOf());
    expect(new Set(picks(one, 10))).toEqual(new Set("bc"));
    clock.advance(999);
    expect(told).toEqual([]);
    // A change in between doesn't start the time anew.
    one.update(poolUnit(backends, { drainTimeoutMs: 5000 }), rowOf());
    clock.advance(1);
    expect(told).toEqual(["a drain-timeout"]);
    expect(clock.pending).toBe(0);
  });

  it("stay when their backend comes back in time", () => {
    const one = balancer(poolUnit(three(), { drainTimeoutMs: 1000 }));
    const { told } = hold(one);
    one.update(poolUnit(three().slice(1), { drainTimeoutMs: 1000 }), rowOf());
    clock.advance(500);
    one.update(poolUnit(three(), { drainTimeoutMs: 1000 }), rowOf());
    clock.advance(10_000);
    expect(told).toEqual([]);
    expect(backendFigures(rowOf()("a")).connectionsActive).toBe(1);
  });

  it("outlive changes that don't concern them", () => {
    const one = balancer(poolUnit(three()));
    const { told } = hold(one);
    one.update(poolUnit([...three({ weight: 7 }), backendUnit("d")], { algorithm: "LEAST_CONNECTIONS" }), rowOf());
    clock.advance(1_000_000);
    expect(told).toEqual([]);
  });

  it("count in the row that their backend has now", () => {
    const one = balancer(poolUnit(three()));
    const { release } = hold(one);
    one.update(poolUnit([]), rowOf());
    release();
    // Meanwhile the old row went to another backend.
    one.update(poolUnit([backendUnit("a")]), () => rowOf()("d"));
    leased(one.pick(flow()));
    expect([rowOf()("a").gauge(), rowOf()("d").gauge()]).toEqual([0, 1]);
  });

  it("all drain when the pool goes", () => {
    const one = balancer(poolUnit(three(), { drainTimeoutMs: 100 }));
    const { told } = hold(one);
    one.retire();
    expect(one.pick(flow())).toEqual({ kind: "refusal", reason: "no-backend" });
    clock.advance(100);
    expect(told.toSorted()).toEqual(["a drain-timeout", "b drain-timeout"]);
  });

  it("leave no timer behind once they have ended", () => {
    const one = balancer(poolUnit(three()));
    one.update(poolUnit([]), rowOf());
    expect(clock.pending).toBe(0);
  });

  it.each([
    { onBackendDown: "RESET" as const, expected: ["a backend-down"] },
    { onBackendDown: "KEEP" as const, expected: [] },
  ])("with $onBackendDown are told $expected when their backend is found down", ({ onBackendDown, expected }) => {
    const one = balancer(poolUnit(three(), { onBackendDown }));
    const { told, release } = hold(one);
    one.backendDown("a");
    one.backendDown("a");
    expect(told).toEqual(expected);
    release();
    expect(backendFigures(rowOf()("a")).connectionsActive).toBe(0);
  });
});

describe("sessions", () => {
  const sessionLease = (from: PoolBalancer, backendId: string): Lease => {
    const outcome = from.resume(backendId);
    if (typeof outcome === "string") throw new Error(`not resumed: ${outcome}`);
    return outcome;
  };

  it("get their backend whoever's turn it is, but not one that is gone, down or full", () => {
    const one = balancer(poolUnit(three({ maxConnections: 1, monitored: true })));
    const lease = sessionLease(one, "b");
    expect(lease.backend.id).toBe("b");
    expect(one.resume("b")).toBe("detour");
    lease.release();
    expect(sessionLease(one, "b").backend.id).toBe("b");
    health("c", "OFFLINE");
    expect(one.resume("c")).toBe("end");
    expect(one.resume("d")).toBe("end");
  });

  it("get their backend while it drains, and are ended with the drain", () => {
    const one = balancer(poolUnit(three(), { drainTimeoutMs: 1000 }));
    const leaving = three().map((backend) => (backend.id === "a" ? { ...backend, weight: 0 } : backend));
    one.update(poolUnit(leaving, { drainTimeoutMs: 1000 }), rowOf());
    const revoked: string[] = [];
    sessionLease(one, "a").onRevoke = (reason) => revoked.push(reason);
    clock.advance(999);
    expect(revoked).toEqual([]);
    expect(one.resume("a")).toMatchObject({ kind: "lease" });
    clock.advance(1);
    expect(revoked).toEqual(["drain-timeout"]);
    expect(one.resume("a")).toBe("end");
  });
});

describe("slow start", () => {
  const slow = (backends: readonly BackendUnit[]): PoolUnit => poolUnit(backends, { slowStartMs: 10_000 });
  const shareOf = (id: string, from: PoolBalancer): number => (picks(from, 1000).split(id).length - 1) / 1000;

  it("does not apply to the first backends of a pool", () => {
    expect(picks(balancer(slow(three())), 6)).toBe("abcabc");
  });

  it("raises the share of a backend that was down from a tenth to the whole", () => {
    const one = balancer(slow(three({ monitored: true })));
    for (const id of ["a", "b", "c"]) health(id, "ONLINE");
    expect(picks(one, 3)).toHaveLength(3);
    health("c", "OFFLINE");
    expect(shareOf("c", one)).toBe(0);
    health("c", "ONLINE");
    expect(Math.abs(shareOf("c", one) - 0.033)).toBeLessThan(0.03);
    clock.advance(5000);
    expect(Math.abs(shareOf("c", one) - 0.167)).toBeLessThan(0.05);
    clock.advance(5000);
    expect(Math.abs(shareOf("c", one) - 0.333)).toBeLessThan(0.01);
  });

  it("applies to a backend that went down and came back between two picks", () => {
    const one = balancer(slow(three({ monitored: true })));
    for (const id of ["a", "b", "c"]) health(id, "ONLINE");
    picks(one, 3);
    health("c", "OFFLINE");
    one.backendDown("c");
    health("c", "ONLINE");
    expect(shareOf("c", one)).toBeLessThan(0.1);
  });

  it("applies to a backend that joins, or is enabled again", () => {
    const one = balancer(slow(three().slice(0, 2)));
    picks(one, 3);
    one.update(slow(three()), rowOf());
    expect(shareOf("c", one)).toBeLessThan(0.1);
    clock.advance(10_000);
    expect(Math.abs(shareOf("c", one) - 0.333)).toBeLessThan(0.01);
    one.update(slow([backendUnit("a", { enabled: false }), backendUnit("b"), backendUnit("c")]), rowOf());
    picks(one, 3);
    one.update(slow(three()), rowOf());
    expect(shareOf("a", one)).toBeLessThan(0.1);
  });
});
