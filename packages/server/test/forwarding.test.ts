import { beforeEach, describe, expect, it } from "@jest/globals";

import type { ApplyReport, DataPlane } from "../src/data/data-plane.ts";
import { Forwarding } from "../src/forwarding.ts";
import type { HealthMonitor } from "../src/health/monitor.ts";
import type { HealthTarget } from "../src/health/target.ts";
import { silentLog } from "../src/log.ts";
import type { Applied } from "../src/node-report.ts";
import { compile, type Lookups, type UnitSource } from "../src/snapshot/compile.ts";
import type { MaglevTables } from "../src/snapshot/maglev-tables.ts";
import type { Published } from "../src/snapshot/publisher.ts";
import type { Problem, Snapshot } from "../src/snapshot/snapshot.ts";
import { FakeClock } from "./fake-clock.ts";
import { noCertificate } from "./snapshot/certificates.ts";
import { entity, nextId } from "./snapshot/entities.ts";

const lookups: Lookups = { resolveHost: (address) => ({ address }), findCertificate: noCertificate };
/** What the parts were told. */
let steps: string[];
let checks: (readonly [loadBalancerId: string, backends: readonly string[]])[];
let bound: string[][];
let names: string[][];
let forgotten: string[];
let published: Applied[];
/** VIPs that cannot be bound, and why. */
let unbindable: Map<string, string>;
let failApply: Error | undefined;
let problems: Problem[];
let forwarding: Forwarding;

beforeEach(() => {
  [steps, checks, bound, names, forgotten, published, problems] = [[], [], [], [], [], [], []];
  unbindable = new Map();
  failApply = undefined;
  const dataPlane: Partial<DataPlane> = {
    apply: ({ revision }: Snapshot): Promise<ApplyReport> => {
      steps.push("data plane");
      return failApply === undefined ? Promise.resolve({ revision, problems }) : Promise.reject(failApply);
    },
    setHealth: (id, health) => void steps.push(`data plane: ${id} ${health}`),
  };
  const monitor: Partial<HealthMonitor> = {
    applyTo(targetsOf: ReadonlyMap<string, readonly HealthTarget[]>) {
      steps.push("monitor");
      for (const [id, targets] of targetsOf) checks.push([id, targets.map(({ host }) => host)]);
    },
  };
  forwarding = new Forwarding({
    report: { applied: (applied) => void published.push(applied) },
    dataPlane: dataPlane as DataPlane,
    tables: {
      apply: () => void steps.push("tables"),
      setHealth: (id: string, health: string) => void steps.push(`tables: ${id} ${health}`),
    } as unknown as MaglevTables,
    monitor: monitor as HealthMonitor,
    binder: {
      apply(desired) {
        steps.push("binder");
        bound.push([...desired]);
        return Promise.resolve(unbindable);
      },
    },
    session: {
      recordHealth: () => void steps.push("session"),
      recordEjection: ({ backendId, until }) => void steps.push(`ejection: ${backendId} ${until}`),
      forgetHealth: (gone) => void forgotten.push(...gone.map((one) => one.backendId)),
    },
    lookups,
    followNames: (set) => names.push([...set]),
    clock: new FakeClock(),
    log: silentLog,
  });
});

function tree(vipAddress: string, ...hosts: string[]): UnitSource {
  const loadBalancer = entity("loadBalancer", { record: { vipAddress, vipPool: "default" } });
  const pool = entity("pool", { loadBalancerId: loadBalancer.id });
  const backends = hosts.map((address) => entity("backend", { poolId: pool.id, address, port: 80 }));
  const healthChecks = [entity("healthCheck", { poolId: pool.id, type: "TCP" })];
  return { loadBalancer, listeners: [], pools: [pool], backends, healthChecks, l7Policies: [], l7Rules: [] };
}

const NO_NAMES: ReadonlySet<string> = new Set();
let revision = 0;

/** Hands these trees over; `touched` absent: all of them. */
function apply(trees: readonly UnitSource[], touched?: readonly UnitSource[], nameSet = NO_NAMES): Promise<void> {
  const byId = new Map<string, UnitSource>(trees.map((one) => [one.loadBalancer.id, one]));
  const units = new Map([...byId].map(([id, one]) => [id, compile(one, lookups)]));
  const ids = new Set<string>((touched ?? trees).map(({ loadBalancer }) => loadBalancer.id));
  const handed: Published = { snapshot: { revision: ++revision, units }, trees: byId, touched: ids, names: nameSet };
  return forwarding.apply(handed);
}

function judge(source: UnitSource, index = 0): string {
  const { id: backendId } = source.backends[index]!;
  const { id: loadBalancerId } = source.loadBalancer;
  const target = { loadBalancerName: "web", poolName: "app", host: "10.0.0.1", port: 80 } as HealthTarget;
  const ids = { backendId, loadBalancerId, poolId: source.pools[0]!.id };
  forwarding.verdict({ ...ids, target, health: "ONLINE", previous: "UNKNOWN", reason: "", atMs: 0 });
  return backendId;
}

describe("Forwarding", () => {
  it("binds VIPs, then sets tables, then the data plane, then has health checked", async () => {
    await apply([tree("127.10.0.1", "10.0.0.1")]);
    expect(steps).toEqual(["binder", "tables", "data plane", "monitor"]);
    expect(forwarding.ready).toBe(true);
    expect(published.at(-1)).toMatchObject({ revision, problems: [] });
  });

  it("has only what was touched checked anew", async () => {
    const [a, b] = [tree("127.10.0.1", "10.0.0.1"), tree("127.10.0.2", "10.0.0.2")];
    await apply([a, b]);
    checks = [];
    await apply([a, b], [b]);
    expect(checks).toEqual([[b.loadBalancer.id, ["10.0.0.2"]]]);
  });

  it("ends the checks of a load balancer that has gone", async () => {
    const [a, b] = [tree("127.10.0.1", "10.0.0.1"), tree("127.10.0.2", "10.0.0.2")];
    await apply([a, b]);
    checks = [];
    await apply([a], [b]);
    expect(checks).toEqual([[b.loadBalancer.id, []]]);
  });

  it("makes up for a snapshot that could not be applied", async () => {
    const [a, b] = [tree("127.10.0.1", "10.0.0.1"), tree("127.10.0.2", "10.0.0.2")];
    failApply = new Error("out of memory");
    await apply([a]);
    expect(checks).toEqual([]);
    expect(forwarding.ready).toBe(false);
    failApply = undefined;
    await apply([a, b], [b]);
    expect(checks.map(([id]) => id)).toEqual([a.loadBalancer.id, b.loadBalancer.id]);
  });

  it("tells the binder at the start, and then when a VIP comes or goes", async () => {
    const [a, b] = [tree("127.10.0.1"), tree("127.10.0.2")];
    await apply([]);
    await apply([a]);
    await apply([a], [a]);
    await apply([a, b], [b]);
    await apply([b], [a]);
    expect(bound).toEqual([[], ["127.10.0.1"], ["127.10.0.1", "127.10.0.2"], ["127.10.0.2"]]);
  });

  it("asks the binder again while a VIP cannot be bound, and says why", async () => {
    const a = tree("127.10.0.1");
    unbindable = new Map([["127.10.0.1", "needs CAP_NET_ADMIN"]]);
    await apply([a]);
    problems = [{ loadBalancerId: a.loadBalancer.id, listenerId: "l", reason: "address not available" }];
    await apply([a], []);
    expect(bound).toHaveLength(2);
    // One reason, not two.
    const reason = "needs CAP_NET_ADMIN";
    expect(published.at(-1)!.problems).toEqual([{ loadBalancerId: a.loadBalancer.id, reason }]);
    unbindable = new Map();
    problems = [];
    await apply([a], []);
    expect(published.at(-1)!.problems).toEqual([]);
    await apply([a], []);
    expect(bound).toHaveLength(3);
  });

  it("says why a listener without its certificate is closed, until it has one or goes", async () => {
    const a = tree("127.10.0.1");
    const { id: loadBalancerId } = a.loadBalancer;
    const fields = { loadBalancerId, name: "https", protocol: "HTTPS", port: 443, certificateIds: [nextId()] };
    const listener = entity("listener", fields);
    await apply([{ ...a, listeners: [listener] }]);
    const reason = expect.stringContaining("Cannot open listener a-loadBalancer/https: certificate ");
    expect(published.at(-1)!.problems).toEqual([{ loadBalancerId, listenerId: listener.id, reason }]);
    await apply([a]);
    expect(published.at(-1)!.problems).toEqual([]);
  });

  it("follows names when they change", async () => {
    const set = new Set(["app.internal"]);
    await apply([], [], set);
    await apply([], [], set);
    await apply([], [], new Set(["app.internal", "db.internal"]));
    expect(names).toEqual([["app.internal"], ["app.internal", "db.internal"]]);
  });

  it("tells a verdict to the tables, the data path and the store, in this order", async () => {
    const a = tree("127.10.0.1", "10.0.0.1");
    await apply([a]);
    steps = [];
    const id = judge(a);
    expect(steps).toEqual([`tables: ${id} ONLINE`, `data plane: ${id} ONLINE`, "session"]);
  });

  it("tells the store of ejections", () => {
    forwarding.ejection({ loadBalancerId: "lb", backendId: "b", until: "then" });
    forwarding.ejection({ loadBalancerId: "lb", backendId: "b" });
    expect(steps).toEqual(["ejection: b then", "ejection: b undefined"]);
  });

  it("takes verdicts back on backends that are gone or no longer checked", async () => {
    const a = tree("127.10.0.1", "10.0.0.1", "10.0.0.2");
    await apply([a]);
    const [first, second] = [judge(a, 0), judge(a, 1)];
    const without = { ...a, backends: a.backends.slice(1) };
    await apply([without]);
    expect(forgotten).toEqual([first]);
    await apply([{ ...without, healthChecks: [] }]);
    expect(forgotten).toEqual([first, second]);
    await apply([], [a]);
    expect(forgotten).toHaveLength(2);
  });
});
