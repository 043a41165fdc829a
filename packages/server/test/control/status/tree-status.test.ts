import { createEntity, type Entities, type Node, parseSpec } from "@fiberlb/types";
import { describe, expect, test } from "@jest/globals";

import { treeStatus, type TreeStatus } from "../../../src/control/status/tree-status.ts";
import type { TenantKind } from "../../../src/repository/keys.ts";
import type { NodeVerdict } from "../../../src/repository/node-records.ts";
import type { LoadBalancerTree } from "../../../src/repository/tree.ts";

const NOW_MS = Date.UTC(2026, 0, 1);
const ID = (n: number): string => `019a3c7e-0b1d-7c44-8f6e-${String(n).padStart(12, "0")}`;
const LB = ID(1);
const POOL = ID(2);
const LISTENER = ID(3);

function entity<K extends TenantKind>(kind: K, id: string, input: object): Entities[K] {
  const { deletingSince: _, drainingSince: __, ...writable } = input as Record<string, unknown>;
  const parsed = parseSpec(kind, writable);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.violations));
  const at = new Date(NOW_MS).toISOString();
  const tenant = { orgId: "acme", projectId: "prod" };
  const record = { id, ...tenant, revision: 1, createdAt: at, updatedAt: at, ...(input as { name?: string }) };
  return { ...createEntity(kind, parsed.value, record as never), ...input };
}

interface Given {
  readonly loadBalancer?: object;
  readonly pool?: object;
  readonly listener?: object;
  readonly backends?: readonly object[];
  readonly monitored?: boolean;
  /** By index of the backend: the verdict of each node. */
  readonly verdicts?: readonly (readonly [backend: number, health: "ONLINE" | "OFFLINE", node?: string])[];
  /** By index of the backend: a node that leaves it out. */
  readonly ejections?: readonly (readonly [backend: number, node: string, until: string])[];
  readonly nodes?: readonly Partial<Node>[];
  readonly unitRevision?: number;
  readonly changedAgoMs?: number;
  readonly createRevision?: number;
}

const BACKEND = (index: number): string => ID(10 + index);

function judge(given: Given): TreeStatus {
  const backends = (given.backends ?? [{}]).map((input, index) =>
    entity("backend", BACKEND(index), {
      name: `b${index}`,
      poolId: POOL,
      address: "10.0.0.1",
      port: 1 + index,
      ...input,
    }),
  );
  const tree: LoadBalancerTree = {
    tenant: { orgId: "acme", projectId: "prod" },
    loadBalancer: entity("loadBalancer", LB, {
      name: "web",
      vipAddress: "192.0.2.1",
      vipPool: "default",
      ...given.loadBalancer,
    }),
    listeners: [
      entity("listener", LISTENER, {
        name: "tcp",
        loadBalancerId: LB,
        protocol: "TCP",
        port: 1,
        defaultPoolId: POOL,
        ...given.listener,
      }),
    ],
    pools: [entity("pool", POOL, { name: "app", loadBalancerId: LB, ...given.pool })],
    backends,
    healthChecks:
      given.monitored === false ? [] : [entity("healthCheck", ID(4), { name: "hc", poolId: POOL, type: "TCP" })],
    l7Policies: [],
    l7Rules: [],
    unitRevision: given.unitRevision ?? 10,
    changedAtMs: NOW_MS - (given.changedAgoMs ?? 0),
    createRevisions: new Map([[LB, given.createRevision ?? 1]]),
  };
  const nodes = (given.nodes ?? [{}]).map((node, index) => ({ ...NODE, name: `lb-${index + 1}`, ...node }));
  const verdicts = (given.verdicts ?? []).map(([index, health, node = "lb-1"]) =>
    verdict(BACKEND(index), health, node),
  );
  const ejections = (given.ejections ?? []).map(([index, node, ejectedUntil]) => ({
    node,
    loadBalancerId: LB,
    backendId: BACKEND(index),
    ejectedUntil,
  }));
  return treeStatus(
    { tree, findings: Map.groupBy([...verdicts, ...ejections], ({ backendId }) => backendId) },
    { nodes, nowMs: NOW_MS },
  );
}

const NODE: Node = {
  name: "lb-1",
  state: "READY",
  addresses: [],
  version: "1",
  appliedRevision: 10,
  problems: [],
  startedAt: new Date(NOW_MS).toISOString(),
  capabilities: [],
};

const verdict = (backendId: string, health: "ONLINE" | "OFFLINE", node: string): NodeVerdict => ({
  loadBalancerId: LB,
  backendId,
  health,
  node,
  reason: health === "ONLINE" ? "" : "connection refused",
  since: new Date(NOW_MS).toISOString(),
});

/** Operating status of pool, listener and load balancer. */
function operating(given: Given): string[] {
  const { pools, listeners, loadBalancer } = judge(given);
  const pool = pools.get(POOL)?.operatingStatus ?? "";
  return [pool, listeners.get(LISTENER)?.operatingStatus ?? "", loadBalancer.operatingStatus];
}

describe("provisioning", () => {
  const provisioned = (given: Given) => {
    const { provisioningStatus, statusReason } = judge({ verdicts: [[0, "ONLINE"]], ...given }).loadBalancer;
    return [provisioningStatus, statusReason];
  };

  test.each<[string, Given, string, string]>([
    ["applied by the only node", {}, "ACTIVE", ""],
    ["applied by every node", { nodes: [{}, { appliedRevision: 99 }] }, "ACTIVE", ""],
    ["no node", { nodes: [] }, "ERROR", "no data plane node"],
    [
      "one node lags, a later change",
      { nodes: [{}, { appliedRevision: 9 }] },
      "PENDING_UPDATE",
      "waiting for node lb-2",
    ],
    [
      "one node lags, it is new to it",
      { nodes: [{ appliedRevision: 9 }], createRevision: 10 },
      "PENDING_CREATE",
      "waiting for node lb-1",
    ],
    [
      "a node lags for 15 s",
      { nodes: [{ appliedRevision: 9 }], changedAgoMs: 15_000 },
      "ERROR",
      "node lb-1 has not applied the last change for 15 s",
    ],
    [
      "a node lags for nearly 15 s",
      { nodes: [{ appliedRevision: 9 }], changedAgoMs: 14_999 },
      "PENDING_UPDATE",
      "waiting for node lb-1",
    ],
    ["deleting", { loadBalancer: { deletingSince: new Date(NOW_MS).toISOString() } }, "PENDING_DELETE", ""],
  ])("%s", (_, given, status, reason) => {
    expect(provisioned(given)).toEqual([status, reason]);
  });

  const problem = { loadBalancerId: LB as never, listenerId: LISTENER as never, reason: "port 1 is in use" };

  test("a problem of one node is an error that names it, though others serve", () => {
    expect(provisioned({ nodes: [{}, { problems: [problem] }] })).toEqual(["ERROR", "node lb-2: port 1 is in use"]);
  });

  test("a problem that a later change may have solved is not told as one", () => {
    expect(provisioned({ nodes: [{ appliedRevision: 9, problems: [problem] }] })[0]).toBe("PENDING_UPDATE");
  });

  test("problems of other load balancers don't matter", () => {
    expect(provisioned({ nodes: [{ problems: [{ loadBalancerId: ID(99) as never, reason: "x" }] }] })).toEqual([
      "ACTIVE",
      "",
    ]);
  });

  test("is the same for everything of the load balancer", () => {
    const { listeners, pools, backends } = judge({ nodes: [{}, { problems: [problem] }] });
    const all = [listeners.get(LISTENER), pools.get(POOL), backends.get(BACKEND(0))];
    expect(all.map((status) => status?.provisioningStatus)).toEqual(["ERROR", "ERROR", "ERROR"]);
  });
});

describe("operating status rolls up", () => {
  test.each<[string, Given, string[]]>([
    [
      "all backends up",
      {
        backends: [{}, {}],
        verdicts: [
          [0, "ONLINE"],
          [1, "ONLINE"],
        ],
      },
      ["ONLINE", "ONLINE", "ONLINE"],
    ],
    [
      "one down, the pool still serves",
      {
        backends: [{}, {}],
        verdicts: [
          [0, "ONLINE"],
          [1, "OFFLINE"],
        ],
      },
      ["DEGRADED", "DEGRADED", "DEGRADED"],
    ],
    ["none left", { verdicts: [[0, "OFFLINE"]] }, ["ERROR", "ERROR", "ERROR"]],
    ["no backend at all", { backends: [] }, ["ERROR", "ERROR", "ERROR"]],
    ["not monitored", { monitored: false }, ["NO_MONITOR", "ONLINE", "ONLINE"]],
    ["not probed yet", {}, ["NO_MONITOR", "ONLINE", "ONLINE"]],
    ["load balancer down by will", { loadBalancer: { adminStateUp: false } }, ["NO_MONITOR", "OFFLINE", "OFFLINE"]],
    ["listener down by will", { listener: { adminStateUp: false } }, ["NO_MONITOR", "OFFLINE", "OFFLINE"]],
    ["pool down by will", { pool: { adminStateUp: false } }, ["OFFLINE", "OFFLINE", "OFFLINE"]],
    ["all backends down by will", { backends: [{ adminStateUp: false }] }, ["OFFLINE", "OFFLINE", "OFFLINE"]],
    [
      "one backend down by will",
      { backends: [{ adminStateUp: false }, {}], verdicts: [[1, "ONLINE"]] },
      ["ONLINE", "ONLINE", "ONLINE"],
    ],
    ["one drains", { backends: [{ weight: 0 }, {}], verdicts: [[1, "ONLINE"]] }, ["ONLINE", "ONLINE", "ONLINE"]],
    ["all drain", { backends: [{ weight: 0 }] }, ["DRAINING", "ERROR", "ERROR"]],
    [
      "nodes disagree",
      {
        verdicts: [
          [0, "ONLINE", "lb-1"],
          [0, "OFFLINE", "lb-2"],
        ],
      },
      ["DEGRADED", "DEGRADED", "DEGRADED"],
    ],
    [
      "nodes agree that it is down",
      {
        verdicts: [
          [0, "OFFLINE", "lb-1"],
          [0, "OFFLINE", "lb-2"],
        ],
      },
      ["ERROR", "ERROR", "ERROR"],
    ],
    ["no pool", { listener: { defaultPoolId: undefined }, monitored: false }, ["NO_MONITOR", "ERROR", "ERROR"]],
  ])("%s", (_, given, expected) => {
    expect(operating(given)).toEqual(expected);
  });

  test("with reasons that lead to the cause", () => {
    const { loadBalancer, backends } = judge({
      backends: [{}, {}],
      verdicts: [
        [0, "ONLINE"],
        [1, "OFFLINE"],
      ],
    });
    expect(loadBalancer.statusReason).toBe("listener tcp: pool app: backend b1 (10.0.0.1:2): connection refused");
    expect(backends.get(BACKEND(1))).toMatchObject({
      status: "OFFLINE",
      operatingStatus: "ERROR",
      statusReason: "connection refused",
    });
  });

  test.each([
    [{ adminStateUp: false }, "OFFLINE", "administratively down"],
    [{ weight: 0 }, "DRAINING", "weight is 0"],
    [{ drainingSince: "2026-01-01T00:00:00.000Z" }, "DRAINING", "not renewed"],
    [{}, "UNKNOWN", "not probed yet"],
  ])("a backend %j is %s", (input, status, reason) => {
    const judged = judge({ backends: [input] }).backends.get(BACKEND(0));
    expect(judged).toMatchObject({ status, statusReason: expect.stringContaining(reason) });
  });

  describe("passive health and panic are told with their reason", () => {
    const UNTIL = "2026-01-01T00:00:30.000Z";
    const backendOf = (given: Given, index = 0) => judge(given).backends.get(BACKEND(index));
    const poolOf = (given: Given) => judge(given).pools.get(POOL);
    const two: Given = { backends: [{}, {}], monitored: false };

    test("an ejected backend is DEGRADED, and its pool says so", () => {
      const given: Given = { ...two, ejections: [[0, "lb-1", UNTIL]] };
      const reason = `ejected by node lb-1 until ${UNTIL}: it fails real traffic`;
      expect(backendOf(given)).toMatchObject({
        status: "NO_MONITOR",
        operatingStatus: "DEGRADED",
        statusReason: reason,
      });
      expect(poolOf(given)).toMatchObject({
        operatingStatus: "DEGRADED",
        statusReason: `backend b0 (10.0.0.1:1): ${reason}`,
      });
    });

    test("of several nodes the last return is told; what probes of others say too", () => {
      const later = "2026-01-01T00:01:00.000Z";
      const given: Given = {
        backends: [{}],
        verdicts: [
          [0, "ONLINE", "lb-1"],
          [0, "OFFLINE", "lb-3"],
        ],
        ejections: [
          [0, "lb-1", UNTIL],
          [0, "lb-2", later],
        ],
      };
      const ejected = `ejected by nodes lb-1, lb-2 until ${later}: it fails real traffic`;
      expect(backendOf(given)?.statusReason).toBe(`${ejected}; down for node lb-3: connection refused`);
    });

    test("what gets no traffic anyhow is not told as ejected", () => {
      const given: Given = { backends: [{}], verdicts: [[0, "OFFLINE"]], ejections: [[0, "lb-1", UNTIL]] };
      expect(backendOf(given)).toMatchObject({ operatingStatus: "ERROR", statusReason: "connection refused" });
    });

    const four = [{}, {}, {}, {}];
    const down = (...indexes: number[]): NonNullable<Given["verdicts"]> =>
      four.map((_, index) => [index, indexes.includes(index) ? "OFFLINE" : "ONLINE"]);
    const panicking = (percent: number) => ({ panicThresholdPercent: percent });

    test.each<[string, Given, string]>([
      ["too few are usable", { verdicts: down(0, 1, 2) }, "1 of 4 backends are usable, fewer than"],
      ["none is", { verdicts: down(0, 1, 2, 3) }, "0 of 4 backends are usable, fewer than"],
      [
        "too few are left by ejections",
        { verdicts: down(0, 1), ejections: [[2, "lb-1", UNTIL]] },
        "1 of 4 backends are usable, fewer than",
      ],
    ])("panic: %s", (_what, given, share) => {
      const reason = poolOf({ backends: four, pool: panicking(50), ...given })?.statusReason;
      expect(reason).toMatch(`panic: ${share} panic_threshold_percent 50, so all get traffic; `);
    });

    test.each<[string, Given]>([
      ["enough are usable", { verdicts: down(0, 1), pool: panicking(50) }],
      ["it is off", { verdicts: down(0, 1, 2, 3) }],
      [
        "a backup serves",
        {
          backends: [{}, {}, {}, { backup: true }],
          verdicts: down(0, 1, 2),
          pool: panicking(50),
        },
      ],
    ])("no panic: %s", (_what, given) => {
      expect(poolOf({ backends: four, ...given })?.statusReason).not.toContain("panic");
    });
  });

  test("a listener that a node cannot serve is ERROR, its load balancer too while it is the only one", () => {
    const problems = [{ loadBalancerId: LB as never, listenerId: LISTENER as never, reason: "port 1 is in use" }];
    expect(operating({ monitored: false, nodes: [{ problems }] })).toEqual(["NO_MONITOR", "ERROR", "ERROR"]);
  });

  test("a listener that only some nodes cannot serve is DEGRADED, with the node's reason", () => {
    const problems = [{ loadBalancerId: LB as never, listenerId: LISTENER as never, reason: "port 1 is in use" }];
    const { loadBalancer, listeners } = judge({ monitored: false, nodes: [{}, { problems }] });
    expect(listeners.get(LISTENER)).toMatchObject({
      operatingStatus: "DEGRADED",
      statusReason: "node lb-2: port 1 is in use",
    });
    expect(loadBalancer.operatingStatus).toBe("DEGRADED");
    expect(operating({ monitored: false, nodes: [{ problems }, { problems }] })[1]).toBe("ERROR");
  });

  test("a VIP that one node could not bind makes the load balancer DEGRADED", () => {
    const problems = [{ loadBalancerId: LB as never, reason: "cannot add VIP" }];
    expect(judge({ monitored: false, nodes: [{}, { problems }] }).loadBalancer.operatingStatus).toBe("DEGRADED");
    expect(judge({ monitored: false, nodes: [{ problems }] }).loadBalancer.operatingStatus).toBe("ERROR");
  });

  test("a problem of the load balancer does not hide what is wrong with a backend itself", () => {
    const problems = [{ loadBalancerId: LB as never, listenerId: LISTENER as never, reason: "port 1 is in use" }];
    const { loadBalancer, backends } = judge({ nodes: [{ problems }], verdicts: [[0, "OFFLINE"]] });
    expect(backends.get(BACKEND(0))?.statusReason).toBe("connection refused");
    expect(loadBalancer.statusReason).toContain("port 1 is in use");
  });
});
