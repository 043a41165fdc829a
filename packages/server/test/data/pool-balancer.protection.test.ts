import { beforeEach, describe, expect, it } from "@jest/globals";

import type { Lease, Refusal } from "../../src/data/balancer.ts";
import { CounterTable, type Row } from "../../src/data/counters.ts";
import { BACKEND_ROW, POOL_FLAG, POOL_ROW, setEjected, setHealth } from "../../src/data/figures.ts";
import { PoolBalancer } from "../../src/data/pool-balancer.ts";
import { POLL_MS } from "../../src/data/wait-queue.ts";
import type { BackendHealth, BackendUnit, PoolUnit } from "../../src/snapshot/snapshot.ts";
import { FakeClock } from "../fake-clock.ts";
import { flow, seededRandom } from "./select/candidates.ts";
import { backendUnit, poolUnit } from "./units.ts";

const WORKERS = 2;
const IDS = ["a", "b", "c"];
const DETECTION = { consecutiveErrors: 3, ejectionMs: 30_000, maxEjectedPercent: 50 };

let clock: FakeClock;
let backendRows: CounterTable;
let poolRows: CounterTable;
let outliers: string[];

beforeEach(() => {
  clock = new FakeClock();
  outliers = [];
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
    onOutlier: (backendId) => outliers.push(`${worker} ${backendId}`),
  });
}

function leased(choice: Lease | Refusal): Lease {
  if (choice.kind === "refusal") throw new Error(`refused: ${choice.reason}`);
  return choice;
}

const three = (part: Partial<BackendUnit> = {}): BackendUnit[] => IDS.map((id) => backendUnit(id, part));
const changed = (): void => void poolRows.row(0, 0).increment(POOL_FLAG.generation);

function eject(backendId: string, ejected = true): void {
  setEjected(rowOf()(backendId), ejected);
  changed();
}

function health(backendId: string, said: BackendHealth): void {
  setHealth(rowOf()(backendId), said);
  changed();
}

/** Who is picked in six turns. */
function picked(from: PoolBalancer): string {
  const ids = Array.from({ length: 6 }, (_, client) => {
    const lease = leased(from.pick(flow(client)));
    lease.release();
    return lease.backend.id;
  });
  return [...new Set(ids)].toSorted().join("");
}

describe("failures of real traffic", () => {
  const only = (part: Partial<PoolUnit> = { outlierDetection: DETECTION }): PoolUnit =>
    poolUnit([backendUnit("a")], part);

  it("are told when there are enough in a row, whatever worker saw them", () => {
    const [one, other] = [balancer(only(), 0), balancer(only(), 1)];
    leased(one.pick(flow())).judge("failure");
    leased(other.pick(flow())).failed();
    expect(outliers).toEqual([]);
    leased(other.pick(flow())).judge("failure");
    expect(outliers).toEqual(["1 a"]);
  });

  it("are forgotten with a success anywhere", () => {
    const [one, other] = [balancer(only(), 0), balancer(only(), 1)];
    for (let round = 0; round < 5; round++) {
      leased(one.pick(flow())).judge("failure");
      leased(one.pick(flow())).judge("failure");
      leased(other.pick(flow())).judge("success");
    }
    expect(outliers).toEqual([]);
  });

  it("count once a connection: the first word is the last", () => {
    const one = balancer(only());
    const lease = leased(one.pick(flow()));
    for (let time = 0; time < 5; time++) lease.judge("failure");
    lease.failed();
    lease.judge("success");
    for (let time = 0; time < 2; time++) leased(one.pick(flow())).judge("failure");
    expect(outliers).toEqual(["0 a"]);
  });

  it("mean nothing without outlier detection, nor on a backend that is out already", () => {
    const without = balancer(only({}));
    for (let time = 0; time < 5; time++) leased(without.pick(flow())).judge("failure");
    const one = balancer(only());
    const leases = Array.from({ length: 5 }, () => leased(one.pick(flow())));
    eject("a");
    for (const lease of leases) lease.judge("failure");
    expect(outliers).toEqual([]);
  });
});

describe("an ejected backend", () => {
  const pool = (part: Partial<PoolUnit> = {}): PoolUnit => poolUnit(three(), { outlierDetection: DETECTION, ...part });

  it("gets nothing new in any worker until it is back, and keeps what it has", () => {
    const workers = [balancer(pool(), 0), balancer(pool(), 1)];
    const revoked: string[] = [];
    const held = leased(workers[0]!.pick(flow()));
    held.onRevoke = (reason) => revoked.push(reason);
    eject("a");
    expect(workers.map(picked)).toEqual(["bc", "bc"]);
    eject("a", false);
    expect(workers.map(picked)).toEqual(["abc", "abc"]);
    expect(revoked).toEqual([]);
  });

  it("ends its sessions, as one that is down does", () => {
    const one = balancer(pool());
    expect(leased(one.resume("a") as Lease).backend.id).toBe("a");
    eject("a");
    expect(one.resume("a")).toBe("end");
  });

  it("serves after all when nobody else can", () => {
    const one = balancer(pool());
    eject("a");
    health("b", "OFFLINE");
    expect(picked(one)).toBe("c");
    health("c", "OFFLINE");
    expect(picked(one)).toBe("a");
    health("a", "OFFLINE");
    expect(one.pick(flow())).toEqual({ kind: "refusal", reason: "no-healthy-backend" });
  });

  it("comes back slowly, where the pool starts slowly", () => {
    const one = balancer(pool({ slowStartMs: 10_000, algorithm: "LEAST_CONNECTIONS" }));
    picked(one);
    eject("a");
    picked(one);
    eject("a", false);
    const turns = Array.from({ length: 300 }, (_, client) => {
      const lease = leased(one.pick(flow(client)));
      lease.release();
      return lease.backend.id;
    });
    expect(turns.filter((id) => id === "a").length).toBeLessThan(30);
  });
});

describe("waiting for a place", () => {
  const pool = (part: Partial<PoolUnit> = {}): PoolUnit =>
    poolUnit([backendUnit("a", { maxConnections: 1 })], { queueTimeoutMs: 1000, ...part });

  function wait(on: PoolBalancer, name: string, heard: string[]): () => void {
    const leave = on.wait(flow(), (choice) =>
      heard.push(`${name} ${choice.kind === "lease" ? choice.backend.id : choice.reason}`),
    );
    if (typeof leave !== "function") throw new Error(leave.reason);
    return leave;
  }

  it("needs a queue", () => {
    const { queueTimeoutMs: _, ...without } = pool();
    expect(balancer(without).wait(flow(), () => {})).toEqual({ kind: "refusal", reason: "backend-limit" });
  });

  it("ends when a connection of this worker does", async () => {
    const one = balancer(pool());
    const held = leased(one.pick(flow()));
    const heard: string[] = [];
    expect(one.pick(flow())).toEqual({ kind: "refusal", reason: "backend-limit" });
    wait(one, "first", heard);
    wait(one, "second", heard);
    held.release();
    await Promise.resolve();
    expect(heard).toEqual(["first a"]);
    clock.advance(1000 + POLL_MS);
    expect(heard).toEqual(["first a", "second queue-timeout"]);
  });

  it("ends soon after a connection of another worker does", () => {
    const [one, other] = [balancer(pool(), 0), balancer(pool(), 1)];
    const held = leased(other.pick(flow()));
    const heard: string[] = [];
    wait(one, "first", heard);
    held.release();
    clock.advance(POLL_MS);
    expect(heard).toEqual(["first a"]);
  });

  it("is passed by nobody who comes later, in whatever worker; but by those who try another backend", () => {
    const [one, other] = [balancer(pool(), 0), balancer(pool(), 1)];
    const held = leased(other.pick(flow()));
    const heard: string[] = [];
    wait(one, "first", heard);
    held.release();
    expect(other.pick(flow())).toEqual({ kind: "refusal", reason: "backend-limit" });
    const retry = leased(other.pick(flow(), new Set(["z"])));
    clock.advance(POLL_MS);
    expect(heard).toEqual([]);
    retry.release();
    clock.advance(POLL_MS);
    expect(heard).toEqual(["first a"]);
  });

  it("ends when more connections are allowed, or the last backend goes down, or the pool goes", () => {
    const one = balancer(pool());
    leased(one.pick(flow()));
    const heard: string[] = [];
    wait(one, "first", heard);
    one.update(pool({ backends: [backendUnit("a", { maxConnections: 2 })] }), rowOf());
    clock.advance(POLL_MS);
    wait(one, "second", heard);
    health("a", "OFFLINE");
    clock.advance(POLL_MS);
    health("a", "ONLINE");
    wait(one, "third", heard);
    one.retire();
    expect(heard).toEqual(["first a", "second no-healthy-backend", "third no-backend"]);
    expect(poolRows.row(0, 0).gauge()).toBe(0);
  });
});
