import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from "@jest/globals";

import { createKernelDataPlane } from "../../src/data/create-kernel-data-plane.ts";
import type { DataPlane } from "../../src/data/data-plane.ts";
import { NO_BACKEND_FIGURES, NO_LISTENER_FIGURES } from "../../src/data/figures.ts";
import type { KernelDataPlane } from "../../src/data/kernel-data-plane.ts";
import { NEIGHBOUR_INTERVAL_MS } from "../../src/data/l4/nftables/neighbours.ts";
import type { BackendUnit, PoolUnit, Snapshot, Unit } from "../../src/snapshot/snapshot.ts";
import { FakeClock } from "../fake-clock.ts";
import { DSR_DEVICE, DSR_V4, DsrTestbed } from "./l4/nftables/dsr-testbed.ts";
import { type Agent, whyNoKernel } from "./l4/nftables/testbed.ts";
import { backendUnit, listenerUnit, poolUnit, snapshot, unit } from "./units.ts";

jest.setTimeout(120_000);

const PORT = 80;
const why = whyNoKernel();

(why ? describe.skip : describe)(`a data plane with direct server return${why ? ` (skipped: ${why})` : ""}`, () => {
  let bed: DsrTestbed;
  let client: Agent;
  let clock: FakeClock;
  let warnings: string[];
  let inWorkers: Snapshot;
  let dataPlane: KernelDataPlane;

  beforeAll(async () => {
    bed = new DsrTestbed();
    client = await bed.client.agent();
    await Promise.all(
      bed.backends.map(async (backend, at) => (await backend.agent()).serve([DSR_V4.vip], PORT, String(at))),
    );
  });
  afterAll(() => bed.remove());
  beforeEach(() => {
    clock = new FakeClock();
    warnings = [];
    dataPlane = create();
  });
  afterEach(() => dataPlane.stop({ drainTimeoutMs: 0 }));

  function create(): KernelDataPlane {
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
    const balancer = bed.balancers[0];
    return createKernelDataPlane({
      createWorkers: () => workers as DataPlane,
      mode: "auto",
      node: "lb-1",
      routeOthers: "always",
      removeOnStop: true,
      clock,
      log: {
        info: () => undefined,
        warn: (event, fields) => void warnings.push(`${event}: ${String(fields?.["address"] ?? fields?.["reason"])}`),
        error: (event, fields) => void warnings.push(`${event}: ${String(fields?.["error"])}`),
      },
      onReport: () => undefined,
      run: balancer.run,
      knock: (address) => void balancer.exec("bash", "-c", `echo > /dev/udp/${address}/9 || true`),
      host: () => ({
        addresses: new Map([[DSR_V4.balancers[0], DSR_DEVICE]]),
        forwards: { ipv4: false, ipv6: false },
        links: [{ device: DSR_DEVICE, address: DSR_V4.balancers[0], prefixLength: 24 }],
      }),
    });
  }

  const backends = DSR_V4.backends.map((address, at) =>
    backendUnit(`b${at}`, { address, port: PORT, monitored: true }),
  );
  /** Slots of IP_HASH need no makers of tables; clients differ in nothing but the port, so they all go to one. */
  const lb = (members: readonly BackendUnit[] = backends, pool: Partial<PoolUnit> = {}): Unit =>
    unit({
      vip: DSR_V4.vip,
      listeners: [listenerUnit({ port: PORT })],
      pools: [poolUnit(members, { algorithm: "IP_HASH", forwarding: "DSR", ...pool })],
    });
  const open = (count = 1, hold = false) =>
    client.open({ transport: "tcp", host: DSR_V4.vip, port: PORT, count, hold });
  const backendNow = async (): Promise<string | undefined> => (await open())[0]?.backend;

  async function serve(one: Unit = lb()): Promise<void> {
    for (const { id } of backends) dataPlane.setHealth(id, "ONLINE");
    expect(await dataPlane.apply(snapshot(1, [one]))).toMatchObject({ revision: 1, problems: [] });
  }

  async function until(isSo: () => Promise<boolean> | boolean): Promise<void> {
    while (!(await isSo())) await new Promise((resolve) => setImmediate(resolve));
  }

  test("the kernel serves it, on a host that forwards nothing, and counts", async () => {
    await serve();
    expect([...inWorkers.units.values()][0]?.listeners).toEqual([]);
    const seen = await open(5);
    expect(seen.map(({ error }) => error)).toEqual(Array.from({ length: 5 }));
    await dataPlane.refreshFigures();
    expect(dataPlane.listenerFigures("listener").connectionsTotal).toBe(5);
    const chosen = `b${seen[0]?.backend}`;
    expect(dataPlane.backendFigures(chosen).connectionsTotal).toBe(5);
    expect(dataPlane.backendFigures(chosen).bytesIn).toBeGreaterThan(0);
    await dataPlane.stop({ drainTimeoutMs: 0 });
    expect(bed.balancers[0].exec("nft", "list", "tables")).toBe("");
  });

  test("what it cannot serve is a problem with the reason, and nobody's", async () => {
    const report = await dataPlane.apply(snapshot(1, [lb(backends, { algorithm: "ROUND_ROBIN" })]));
    expect(report.problems.map(({ reason }) => reason)).toEqual([expect.stringContaining("algorithm ROUND_ROBIN")]);
    expect([...inWorkers.units.values()][0]?.listeners).toEqual([]);
  });

  test("who is found down gets no new flows", async () => {
    await serve();
    const first = await backendNow();
    dataPlane.setHealth(`b${first}`, "OFFLINE");
    await until(async () => (await backendNow()) !== first);
    dataPlane.setHealth(`b${first}`, "ONLINE");
    await until(async () => (await backendNow()) === first);
  });

  test("who leaves keeps his flows for the drain time", async () => {
    await serve();
    const [held] = await open(1, true);
    const rest = backends.filter(({ id }) => id !== `b${held?.backend}`);
    await dataPlane.apply(snapshot(2, [lb(rest)]));
    expect(await backendNow()).not.toBe(held?.backend);
    expect((await client.echoHeld()).at(-1)).toEqual({ backend: held?.backend, outcome: "ok" });
    clock.advance(30_000);
    await until(async () => (await client.echoHeld()).at(-1)?.outcome !== "ok");
  });

  test("who does not answer on the link gets no flows, until he does", async () => {
    bed.balancers[0].exec("sysctl", "-qw", `net.ipv4.neigh.${DSR_DEVICE}.retrans_time_ms=20`);
    await serve();
    const first = Number(await backendNow());
    bed.router.ip("link", "set", `be${first}`, "down");
    bed.balancers[0].ip("neigh", "flush", "dev", DSR_DEVICE);
    const look = (): void => clock.advance(NEIGHBOUR_INTERVAL_MS);
    await until(() => (look(), warnings.length > 0));
    expect(warnings).toEqual([`nobody answers for a backend on its link: ${DSR_V4.backends[first]}`]);
    await until(async () => (await backendNow()) !== String(first));
    bed.router.ip("link", "set", `be${first}`, "up");
    await until(() => (look(), warnings.length > 1));
    await until(async () => (await backendNow()) === String(first));
  });
});
