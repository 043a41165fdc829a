import { beforeEach, describe, expect, it } from "@jest/globals";

import type { ApplyReport, DataPlane } from "../../src/data/data-plane.ts";
import { APPLY_DEADLINE_MS, createDataPlane, type DataPlaneOptions, RETRY_INTERVAL_MS } from "../../src/data/pool.ts";
import { type ListeningSocket, type Transport, TransportError } from "../../src/data/transport/transport.ts";
import type { MaglevTableUnit } from "../../src/snapshot/snapshot.ts";
import { FakeClock } from "../fake-clock.ts";
import { FakeWorker } from "./fake-worker.ts";
import { backendUnit, listenerUnit, poolUnit, snapshot, unit } from "./units.ts";

let clock: FakeClock;
let workers: FakeWorker[];
let reports: ApplyReport[];
let looks: string[];
/** Error code by endpoint. */
let taken: Map<string, string>;
let plane: DataPlane;

beforeEach(async () => {
  clock = new FakeClock();
  workers = [];
  reports = [];
  looks = [];
  taken = new Map();
  plane = create();
  await plane.start();
});

function create(options: Partial<DataPlaneOptions> = {}): DataPlane {
  return createDataPlane({
    workers: 2,
    clock,
    transport,
    ...options,
    onReport: (report) => reports.push(report),
    spawn: (start) => {
      const worker = new FakeWorker(start);
      workers.push(worker);
      return worker.asWorker;
    },
  });
}

const transport: Transport = {
  async listen({ address, port, reusePort }): Promise<ListeningSocket> {
    const endpoint = `${address}:${port}`;
    looks.push(`${endpoint} ${reusePort ? "shared" : "alone"}`);
    const code = taken.get(endpoint);
    if (code === "defect") throw new TypeError(code);
    if (code !== undefined) throw new TransportError(code, `Cannot listen on ${endpoint}`);
    return { address, port, close: async () => undefined };
  },
  connect: () => {
    throw new Error("the main thread connects to nobody");
  },
  secure: () => {
    throw new Error("the main thread speaks to nobody");
  },
};

const web = (weight = 1) =>
  unit({
    name: "web",
    listeners: [listenerUnit()],
    pools: [poolUnit([backendUnit("a", { weight, monitored: true })])],
  });
const other = () => unit({ loadBalancerId: "other" });
const [first, second] = [() => workers[0] as FakeWorker, () => workers[1] as FakeWorker];

describe("a backend that a worker has seen fail too often", () => {
  const outlierDetection = { consecutiveErrors: 5, ejectionMs: 30_000, maxEjectedPercent: 50 };
  const pool = (part = {}) =>
    unit({ pools: [poolUnit([backendUnit("a"), backendUnit("b")], { outlierDetection, ...part })] });

  it("is ejected for a while, and never with the last one", async () => {
    await plane.apply(snapshot(1, [pool()]));
    first().say({ kind: "outlier", poolId: "pool", backendId: "a" });
    second().say({ kind: "outlier", poolId: "pool", backendId: "b" });
    expect(plane.backendFigures("a")).toMatchObject({ isEjected: true, ejectionsTotal: 1 });
    expect(plane.backendFigures("b")).toMatchObject({ isEjected: false });
    clock.advance(30_000);
    expect(plane.backendFigures("a")).toMatchObject({ isEjected: false, ejectionsTotal: 1 });
  });

  it("is back when nobody wants to know any more", async () => {
    await plane.apply(snapshot(1, [pool()]));
    first().say({ kind: "outlier", poolId: "pool", backendId: "a" });
    await plane.apply(snapshot(2, [pool({ outlierDetection: undefined })]));
    expect(plane.backendFigures("a").isEjected).toBe(false);
  });
});

describe("rates of a listener", () => {
  it("are counted in one memory by all workers, the same from change to change", async () => {
    const limited = (newConnectionsPerSPerSource: number) =>
      unit({ listeners: [listenerUnit({ newConnectionsPerSPerSource })] });
    const memories: unknown[] = [];
    for (const rate of [5, 6]) {
      await plane.apply(snapshot(rate, [limited(rate)]));
      for (const worker of [first(), second()]) {
        const last = worker.heard.findLast((message) => message.kind === "apply");
        if (last?.kind === "apply") memories.push(last.assignments[0]?.rates["listener"]?.connections);
      }
    }
    expect(memories).toHaveLength(4);
    expect(memories[0]).toBeInstanceOf(SharedArrayBuffer);
    expect(new Set(memories).size).toBe(1);
  });
});

describe("what workers start with", () => {
  it("is the same secrets for each, those that were given or some by chance", async () => {
    const secrets = { sessionKey: new Uint8Array(32).fill(1), ticketSecret: new Uint8Array(32).fill(2) };
    const given = create({ ...secrets });
    await given.start();
    expect(workers.slice(2).map(({ start }) => start)).toEqual([
      expect.objectContaining(secrets),
      expect.objectContaining(secrets),
    ]);
    const [{ start: own }, { start: others }] = [first(), second()];
    expect(own.ticketSecret).toHaveLength(32);
    expect(own.ticketSecret).toEqual(others.ticketSecret);
    expect(own.ticketSecret).not.toEqual(own.sessionKey);
  });
});

/** What a worker was told, in short. */
function told(worker: FakeWorker): string[] {
  return worker.heard.map((message) =>
    message.kind === "apply"
      ? `apply +${message.assignments.map(({ unit: one }) => one.loadBalancerId).join(",")} -${message.removed.join(",")}`
      : message.kind,
  );
}

/** Lets what is queued happen: nothing here does real I/O. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("what workers are told", () => {
  it("is only what changed", async () => {
    const [a, b] = [web(), other()];
    await plane.apply(snapshot(1, [a, b]));
    await plane.apply(snapshot(2, [a, b]));
    await plane.apply(snapshot(3, [web(2), b]));
    await plane.apply(snapshot(4, [b]));
    for (const worker of workers) expect(told(worker)).toEqual(["apply +lb,other -", "apply +lb -", "apply + -lb"]);
  });

  it("comes one change after the other", async () => {
    first().isPrompt = false;
    const applied = [plane.apply(snapshot(1, [web()])), plane.apply(snapshot(2, [web(2)]))];
    await settle();
    expect(told(second())).toEqual(["apply +lb -"]);
    first().confirm();
    await applied[0];
    await settle();
    first().confirm();
    expect((await Promise.all(applied)).map(({ revision }) => revision)).toEqual([1, 2]);
  });

  it("is that a backend is down, once", async () => {
    await plane.apply(snapshot(1, [web()]));
    plane.setHealth("a", "ONLINE");
    plane.setHealth("a", "OFFLINE");
    plane.setHealth("a", "OFFLINE");
    expect(first().heard.slice(1)).toEqual([{ kind: "backend-down", poolId: "pool", backendId: "a" }]);
  });

  it("is everything, tables first, to one that replaces another", async () => {
    const table: MaglevTableUnit = { poolId: "pool", backendIds: [], slots: new Uint16Array(new SharedArrayBuffer(0)) };
    plane.setTable(table);
    await plane.apply(snapshot(1, [web(), other()]));
    second().die();
    await settle();
    expect(told(workers[2] as FakeWorker)).toEqual(["table", "apply +lb,other -"]);
    expect((workers[2] as FakeWorker).start.index).toBe(1);
  });

  it("no longer includes tables of pools that have gone", async () => {
    plane.setTable({ poolId: "pool", backendIds: [], slots: new Uint16Array(new SharedArrayBuffer(0)) });
    await plane.apply(snapshot(1, [web()]));
    await plane.apply(snapshot(2, [other()]));
    second().die();
    await settle();
    expect(told(workers[2] as FakeWorker)).toEqual(["apply +other -"]);
  });
});

describe("a worker that does not confirm", () => {
  it("is a problem after the deadline, not a hang, until it does", async () => {
    second().isPrompt = false;
    const applied = plane.apply(snapshot(1, [web()]));
    await settle();
    clock.advance(APPLY_DEADLINE_MS);
    const reason =
      "Data plane worker 1 has not confirmed the last change within 5000 ms and may still serve the configuration " +
      "before it; this clears by itself when the worker catches up, restart the node if it doesn't";
    expect(await applied).toEqual({ revision: 1, problems: [{ loadBalancerId: "lb", reason }] });
    second().confirm();
    expect(reports).toEqual([{ revision: 1, problems: [] }]);
  });

  it("is answered for by the one that replaces it", async () => {
    second().isPrompt = false;
    const applied = plane.apply(snapshot(1, [web()]));
    await settle();
    second().die();
    await expect(applied).resolves.toEqual({ revision: 1, problems: [] });
    expect(plane.workerLosses).toBe(1);
  });
});

describe("endpoints", () => {
  it("are looked at alone before their first open, and not again while ours", async () => {
    await plane.apply(snapshot(1, [web()]));
    await plane.apply(snapshot(2, [web(2)]));
    expect(looks).toEqual(["127.0.0.1:80 alone"]);
    await plane.apply(snapshot(3, []));
    await plane.apply(snapshot(4, [web()]));
    expect(looks).toHaveLength(2);
  });

  it("are looked at again after the VIP has moved away and back", async () => {
    await plane.apply(snapshot(1, [web()]));
    await plane.apply(snapshot(2, [{ ...web(), vip: "127.0.0.2" }]));
    await plane.apply(snapshot(3, [web()]));
    expect(looks).toEqual(["127.0.0.1:80 alone", "127.0.0.2:80 alone", "127.0.0.1:80 alone"]);
  });

  it("are not looked at when another process of ours may hold them", async () => {
    const joining = create({ joinListeners: () => true });
    await joining.start();
    await joining.apply(snapshot(1, [web()]));
    expect(looks).toEqual([]);
  });

  it("that are taken are left out and tried again", async () => {
    taken.set("127.0.0.1:80", "EACCES");
    const { problems } = await plane.apply(snapshot(1, [web()]));
    expect(problems.map(({ listenerId }) => listenerId)).toEqual(["listener"]);
    expect(first().heard.at(-1)).toMatchObject({ assignments: [{ unit: { listeners: [] } }] });
    clock.advance(RETRY_INTERVAL_MS);
    await settle();
    expect(reports).toEqual([]);
    // Nothing was gained, so the workers are left in peace.
    expect(told(first())).toEqual(["apply +lb -"]);
    taken.clear();
    clock.advance(RETRY_INTERVAL_MS);
    await settle();
    expect(reports).toEqual([{ revision: 1, problems: [] }]);
    expect(first().heard.at(-1)).toMatchObject({ assignments: [{ unit: { listeners: [{ id: "listener" }] } }] });
    expect(clock.pending).toBe(0);
  });

  it("that one worker can't open are a problem, tried again there", async () => {
    second().failures = [{ loadBalancerId: "lb", listenerId: "listener", code: "EMFILE" }];
    const { problems } = await plane.apply(snapshot(1, [web()]));
    expect(problems[0]?.reason).toContain("too many open files (EMFILE); raise LimitNOFILE (1 of 2 workers)");
    second().failures = [];
    clock.advance(RETRY_INTERVAL_MS);
    await settle();
    expect(reports).toEqual([{ revision: 1, problems: [] }]);
    // Open in the other worker all the time: a look would find ourselves.
    expect(looks).toHaveLength(1);
  });

  it("that can't be looked at fail the apply, which can be repeated", async () => {
    taken.set("127.0.0.1:80", "defect");
    await expect(plane.apply(snapshot(1, [web()]))).rejects.toThrow("defect");
    taken.clear();
    const same = snapshot(1, [web()]);
    expect(await plane.apply(same)).toEqual({ revision: 1, problems: [] });
    expect(told(first())).toEqual(["apply +lb -"]);
  });

  it("are not tried again once nobody wants them", async () => {
    taken.set("127.0.0.1:80", "EADDRINUSE");
    await plane.apply(snapshot(1, [web()]));
    expect((await plane.apply(snapshot(2, []))).problems).toEqual([]);
    clock.advance(RETRY_INTERVAL_MS);
    await settle();
    expect(looks).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });
});

describe("figures", () => {
  it("are zero for what is not known", () => {
    expect(plane.backendFigures("x")).toMatchObject({ connectionsActive: 0, bytesIn: 0 });
    expect(plane.listenerFigures("x").rejected).toEqual({
      acl: 0,
      "connection-limit": 0,
      "no-pool": 0,
      "no-backend": 0,
      "connect-failed": 0,
      "backend-limit": 0,
      "bad-request": 0,
      policy: 0,
      "client-timeout": 0,
      "bad-response": 0,
      "backend-timeout": 0,
      "backend-lost": 0,
      "tls-handshake": 0,
      "flow-limit": 0,
      "send-failed": 0,
      "rate-limit": 0,
      "proxy-protocol": 0,
      "queue-timeout": 0,
      "queue-full": 0,
    });
  });
});

describe("stop", () => {
  it("ends the retries, and nothing is started again", async () => {
    taken.set("127.0.0.1:80", "EADDRINUSE");
    await plane.apply(snapshot(1, [web()]));
    await plane.stop({ drainTimeoutMs: 10 });
    expect(clock.pending).toBe(0);
    expect(workers).toHaveLength(2);
    expect(plane.workerLosses).toBe(0);
  });
});
