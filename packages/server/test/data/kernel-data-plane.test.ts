import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from "@jest/globals";

import { createKernelDataPlane, type KernelDataPlaneOptions } from "../../src/data/create-kernel-data-plane.ts";
import type { ApplyReport, DataPlane, ListenerFigures } from "../../src/data/data-plane.ts";
import { NO_BACKEND_FIGURES, NO_LISTENER_FIGURES } from "../../src/data/figures.ts";
import type { KernelDataPlane } from "../../src/data/kernel-data-plane.ts";
import type { HostFacts } from "../../src/data/l4/nftables/eligibility.ts";
import { CHECK_INTERVAL_MS } from "../../src/data/l4/nftables/forwarder.ts";
import type { PoolUnit, Snapshot, Unit } from "../../src/snapshot/snapshot.ts";
import { FakeClock } from "../fake-clock.ts";
import { type Agent, Testbed, V4, whyNoKernel } from "./l4/nftables/testbed.ts";
import { backendUnit, listenerUnit, poolUnit, snapshot, unit } from "./units.ts";

jest.setTimeout(120_000);

const PORT = 8080;
const why = whyNoKernel();

(why ? describe.skip : describe)(`a data plane with the kernel${why ? ` (skipped: ${why})` : ""}`, () => {
  let bed: Testbed;
  let client: Agent;
  let clock: FakeClock;
  let host: HostFacts;
  /** What the workers were told last. */
  let inWorkers: Snapshot;
  let warnings: string[];
  let reports: ApplyReport[];
  let onReport: () => void;

  beforeAll(async () => {
    bed = new Testbed();
    client = await bed.client.agent();
    await (await bed.backends.agent()).serve(V4.backends, PORT);
  });
  afterAll(() => bed.remove());
  beforeEach(() => {
    clock = new FakeClock();
    host = {
      addresses: new Map([
        [V4.vip, "lo"],
        [V4.inside, "inside"],
      ]),
      forwards: { ipv4: true, ipv6: true },
    };
    [warnings, reports] = [[], []];
    onReport = () => undefined;
  });
  afterEach(() => {
    bed.balancer.exec("nft", "flush", "ruleset");
    bed.balancer.exec("conntrack", "-F");
  });

  function create(options: Partial<KernelDataPlaneOptions> = {}): KernelDataPlane {
    const workers: Partial<DataPlane> = {
      apply(next) {
        inWorkers = next;
        return Promise.resolve({ revision: next.revision, problems: [] });
      },
      setHealth: () => undefined,
      setTable: () => undefined,
      listenerFigures: () => NO_LISTENER_FIGURES,
      backendFigures: () => NO_BACKEND_FIGURES,
      stop: () => Promise.resolve(),
    };
    return createKernelDataPlane({
      createWorkers: () => workers as DataPlane,
      mode: "auto",
      node: "lb-1",
      routeOthers: "never",
      removeOnStop: false,
      clock,
      log: {
        info: () => undefined,
        warn: (event, fields) => void warnings.push(`${event}: ${String(fields?.["reason"])}`),
        error: (event, fields) => void warnings.push(`${event}: ${String(fields?.["error"])}`),
      },
      onReport: (report) => {
        reports.push(report);
        onReport();
      },
      run: bed.balancer.run,
      host: () => host,
      ...options,
    });
  }

  const backends = [0, 1].map((at) =>
    backendUnit(`b${at}`, { address: V4.backends[at]!, port: PORT, monitored: true }),
  );
  const lb = (pool: Partial<PoolUnit> = {}, part: Partial<Unit> = {}): Unit =>
    unit({ vip: V4.vip, listeners: [listenerUnit()], pools: [poolUnit(backends, pool)], ...part });
  const open = (count = 1, hold = false) => client.open({ transport: "tcp", host: V4.vip, port: 80, count, hold });
  const listenersInWorkers = (): number => [...inWorkers.units.values()].flatMap(({ listeners }) => listeners).length;
  const reported = (): Promise<void> => new Promise((resolve) => (onReport = resolve));

  async function until(isSo: () => Promise<boolean>): Promise<void> {
    while (!(await isSo())) await new Promise((resolve) => setImmediate(resolve));
  }

  test("the kernel forwards what it can, workers get the rest", async () => {
    const dataPlane = create();
    const http = listenerUnit({ id: "http", port: 8000, protocol: "HTTP" });
    const report = await dataPlane.apply(snapshot(1, [lb({}, { listeners: [listenerUnit(), http] })]));
    expect(report).toMatchObject({ revision: 1, problems: [] });
    expect([...inWorkers.units.values()][0]?.listeners).toEqual([http]);
    expect((await open())[0]?.backend).toBe(V4.backends[0]);
    await dataPlane.apply(snapshot(2, [lb({ algorithm: "RANDOM" })]));
    expect(listenersInWorkers()).toBe(1);
    expect((await open())[0]?.error).toBe("ECONNREFUSED");
    await dataPlane.stop({ drainTimeoutMs: 0 });
  });

  test("with userspace the kernel only guards the VIP", async () => {
    const dataPlane = create({ mode: "userspace" });
    await dataPlane.apply(snapshot(1, [lb()]));
    expect(listenersInWorkers()).toBe(1);
    expect(bed.balancer.exec("nft", "list", "ruleset")).not.toContain("nat");
    expect((await client.open({ transport: "tcp", host: V4.vip, port: 22, count: 1 }))[0]?.error).toBe("ECONNREFUSED");
    await dataPlane.stop({ drainTimeoutMs: 0 });
    // There is nothing that could go on.
    expect(bed.balancer.exec("nft", "list", "ruleset")).toBe("");
  });

  test("a backend that is down gets nothing new, and its connections end", async () => {
    const dataPlane = create();
    await dataPlane.apply(snapshot(1, [lb()]));
    for (const { id } of backends) dataPlane.setHealth(id, "ONLINE");
    const held = await open(4, true);
    expect(new Set(held.map(({ backend }) => backend)).size).toBe(2);
    dataPlane.setHealth("b0", "OFFLINE");
    await until(async () => !bed.balancer.exec("conntrack", "-L", "-p", "tcp").includes(`src=${V4.backends[0]} `));
    for (const { backend, outcome } of await client.echoHeld()) {
      expect([backend, outcome]).toEqual([backend, backend === V4.backends[1] ? "ok" : "ECONNRESET"]);
    }
    expect((await open(6)).map(({ backend }) => backend)).toEqual(Array(6).fill(V4.backends[1]));
    dataPlane.setHealth("b0", "ONLINE");
    await until(async () => (await open(2)).some(({ backend }) => backend === V4.backends[0]));
    await dataPlane.stop({ drainTimeoutMs: 0 });
  });

  test("connections of a backend that was removed may finish for the drain time", async () => {
    const dataPlane = create();
    await dataPlane.apply(snapshot(1, [lb({ drainTimeoutMs: 5000 })]));
    const held = await client.open({ transport: "tcp", host: V4.vip, port: 80, count: 2, hold: true });
    expect(held).toHaveLength(2);
    await dataPlane.apply(snapshot(2, [lb({ drainTimeoutMs: 5000, backends: backends.slice(1) })]));
    const before = bed.balancer.exec("conntrack", "-L", "-p", "tcp", "--reply-src", V4.backends[0]!);
    expect(before).toContain("ESTABLISHED");
    clock.advance(5000);
    await until(async () => !bed.balancer.exec("conntrack", "-L", "-p", "tcp").includes(`src=${V4.backends[0]} `));
    await dataPlane.stop({ drainTimeoutMs: 0 });
  });

  test("the kernel remembers idle connections for the listener's time", async () => {
    const dataPlane = create();
    await dataPlane.apply(snapshot(1, [lb({}, { listeners: [listenerUnit({ clientIdleTimeoutMs: 77_000 })] })]));
    await open(1, true);
    expect(bed.balancer.exec("conntrack", "-L", "-p", "tcp")).toMatch(/ \d{1,2} ESTABLISHED/);
    await dataPlane.stop({ drainTimeoutMs: 0 });
  });

  test("figures come from the kernel", async () => {
    const dataPlane = create();
    await dataPlane.apply(snapshot(1, [lb({}, { listeners: [listenerUnit({ allowedCidrs: ["10.1.0.2/32"] })] })]));
    await open(10);
    await (await bed.backends.agent()).open({ transport: "tcp", host: V4.vip, port: 80, count: 3 });
    await dataPlane.refreshFigures();
    const figures: ListenerFigures = dataPlane.listenerFigures("listener");
    expect(figures.connectionsTotal).toBe(10);
    expect(figures.rejected.acl).toBe(3);
    expect(figures.bytesIn).toBeGreaterThan(0);
    expect(figures.bytesOut).toBeGreaterThan(figures.bytesIn / 2);
    expect(dataPlane.backendFigures("b0").connectionsTotal + dataPlane.backendFigures("b1").connectionsTotal).toBe(10);
    await dataPlane.stop({ drainTimeoutMs: 0 });
  });

  test("connections that are open in the kernel are counted, and forgotten when they end", async () => {
    const dataPlane = create();
    await dataPlane.apply(snapshot(1, [lb()]));
    await client.dropHeld();
    bed.balancer.exec("conntrack", "-F");
    const held = (await client.open({ transport: "tcp", host: V4.vip, port: 80, count: 7, hold: true })).length;
    await dataPlane.refreshFigures();
    const active = (): number[] => ["b0", "b1"].map((id) => dataPlane.backendFigures(id).connectionsActive);
    expect(dataPlane.listenerFigures("listener").connectionsActive).toBe(held);
    expect(active().toSorted((a, b) => a - b)).toEqual([3, 4]);
    expect(dataPlane.conntrackEntries().get("established")).toBe(held);
    await client.dropHeld();
    await until(async () => {
      clock.advance(5000);
      await dataPlane.refreshFigures();
      return dataPlane.listenerFigures("listener").connectionsActive === 0;
    });
    expect([dataPlane.listenerFigures("listener").connectionsActive, ...active()]).toEqual([0, 0, 0]);
    await dataPlane.stop({ drainTimeoutMs: 0 });
  });

  test("without conntrack figures go on without open connections, and the log says so once", async () => {
    const run: KernelDataPlaneOptions["run"] = (command) =>
      command.name === "conntrack"
        ? Promise.reject(Object.assign(new Error("spawn"), { code: "ENOENT" }))
        : bed.balancer.run(command);
    const dataPlane = create({ run });
    await dataPlane.apply(snapshot(1, [lb()]));
    for (let time = 0; time < 2; time++) {
      await dataPlane.refreshFigures();
      clock.advance(5000);
    }
    expect(dataPlane.listenerFigures("listener").connectionsActive).toBe(0);
    const what = "connections that the kernel has open cannot be counted";
    expect(warnings).toEqual([`${what}: conntrack is not installed; install the package conntrack`]);
    await dataPlane.stop({ drainTimeoutMs: 0 });
  });

  describe("when the kernel can't be used", () => {
    const foreign = () => bed.balancer.exec("nft", "add table inet fiberlb; add chain inet fiberlb mine");
    const cases: [string, Partial<KernelDataPlaneOptions>, () => void, string][] = [
      ["a foreign table has the name", {}, foreign, "there is a table inet fiberlb already"],
      [
        "nft is missing",
        { run: () => Promise.reject(Object.assign(new Error("x"), { code: "ENOENT" })) },
        () => undefined,
        "nft is not installed",
      ],
      [
        "there is no right to",
        { run: () => Promise.resolve({ code: 1, stdout: "", stderr: "Operation not permitted" }) },
        () => undefined,
        "needs CAP_NET_ADMIN",
      ],
      [
        "the host forwards nothing",
        { host: () => ({ ...host, forwards: { ipv4: false, ipv6: false } }) },
        () => undefined,
        "net.ipv4.ip_forward is 0",
      ],
    ];

    test.each(cases)("%s: auto falls back to user space", async (_what, options, prepare) => {
      prepare();
      const dataPlane = create(options);
      expect((await dataPlane.apply(snapshot(1, [lb()]))).problems).toEqual([]);
      expect(listenersInWorkers()).toBe(1);
      await dataPlane.stop({ drainTimeoutMs: 0 });
    });

    test.each(cases)("%s: nftables says so", async (_what, options, prepare, reason) => {
      prepare();
      const dataPlane = create({ ...options, mode: "nftables" });
      const { problems } = await dataPlane.apply(snapshot(1, [lb()]));
      expect(problems).toEqual([
        { loadBalancerId: "lb", listenerId: "listener", reason: expect.stringContaining(reason), isClosed: true },
      ]);
      expect(listenersInWorkers()).toBe(0);
      await dataPlane.stop({ drainTimeoutMs: 0 });
    });

    test("a foreign table is left as it is, and what it blocked works when it has gone", async () => {
      foreign();
      const before = bed.balancer.exec("nft", "list", "ruleset");
      const dataPlane = create({ mode: "nftables" });
      await dataPlane.apply(snapshot(1, [lb()]));
      await dataPlane.stop({ drainTimeoutMs: 0 });
      expect(bed.balancer.exec("nft", "list", "ruleset")).toBe(before);

      const next = create({ mode: "nftables" });
      await next.apply(snapshot(1, [lb()]));
      bed.balancer.exec("nft", "delete", "table", "inet", "fiberlb");
      const report = reported();
      clock.advance(CHECK_INTERVAL_MS);
      await report;
      expect(reports.at(-1)?.problems).toEqual([]);
      expect((await open())[0]?.backend).toBe(V4.backends[0]);
      await next.stop({ drainTimeoutMs: 0 });
    });
  });

  test("a load balancer that the kernel refuses is alone in that", async () => {
    const dataPlane = create({ mode: "nftables" });
    const odd = { backends: [backendUnit("odd", { address: V4.backends[0]!, port: 70_000 })] };
    const bad = unit({
      loadBalancerId: "bad",
      vip: "203.0.113.9",
      listeners: [listenerUnit({ id: "l2" })],
      pools: [poolUnit(backends, odd)],
    });
    const { problems } = await dataPlane.apply(snapshot(1, [bad, lb()]));
    expect(problems.map(({ loadBalancerId }) => loadBalancerId)).toEqual(["bad"]);
    expect((await open())[0]?.backend).toBe(V4.backends[0]);
    await dataPlane.stop({ drainTimeoutMs: 0 });
  });

  test("a table that somebody flushed is loaded again", async () => {
    const dataPlane = create();
    await dataPlane.apply(snapshot(1, [lb()]));
    bed.balancer.exec("nft", "flush", "ruleset");
    expect((await open())[0]?.error).toBe("ECONNREFUSED");
    const report = reported();
    clock.advance(CHECK_INTERVAL_MS);
    await report;
    expect((await open())[0]?.backend).toBe(V4.backends[0]);
    expect(warnings).toEqual([expect.stringContaining("somebody flushed the ruleset")]);
    await dataPlane.stop({ drainTimeoutMs: 0 });
  });

  test("connections outlive the process, and the next one takes the table over", async () => {
    const first = create();
    await first.apply(snapshot(1, [lb()]));
    const held = await client.open({ transport: "tcp", host: V4.vip, port: 80, count: 4, hold: true });
    expect(held.every(({ error }) => error === undefined)).toBe(true);
    await first.stop({ drainTimeoutMs: 0 });
    expect(first.vipsThatStay()).toEqual(new Set([V4.vip]));
    expect((await open())[0]?.error).toBeUndefined();

    const second = create({ removeOnStop: true });
    await second.apply(snapshot(1, [lb()]));
    expect((await client.echoHeld()).slice(-4).map(({ outcome }) => outcome)).toEqual(["ok", "ok", "ok", "ok"]);
    await second.stop({ drainTimeoutMs: 0 });
    expect(bed.balancer.exec("nft", "list", "ruleset")).toBe("");
  });
});
