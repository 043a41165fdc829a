import { once } from "node:events";
import { createServer } from "node:net";
import type { Worker } from "node:worker_threads";

import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";

import { systemClock } from "../../src/clock.ts";
import type { ApplyReport, DataPlane } from "../../src/data/data-plane.ts";
import { createDataPlane, RETRY_INTERVAL_MS } from "../../src/data/pool.ts";
import { spawnWorker } from "../../src/data/worker-handle.ts";
import type { PoolUnit, Unit } from "../../src/snapshot/snapshot.ts";
import { FakeClock } from "../fake-clock.ts";
import { freePort, listen, type NamedServer, openClient, startNamedServer, whoServes } from "./tcp-peers.ts";
import { backendUnit, listenerUnit, poolUnit, snapshot, unit } from "./units.ts";

// Threads start and stop here, on machines that do other things besides.
jest.setTimeout(60_000);

const WORKERS = 2;
/** Not 127.0.0.1, where outgoing connections take ports of their own. */
const VIP = "127.77.0.1";

let servers: NamedServer[];
let workers: Worker[];
let spawns: (() => void)[];
let events: string[];
let reports: ApplyReport[];
let onReport: () => void;
let clock: FakeClock;
let plane: DataPlane;
let port: number;

beforeEach(async () => {
  servers = await Promise.all(["a", "b", "c"].map(startNamedServer));
  workers = [];
  spawns = [];
  events = [];
  reports = [];
  onReport = () => undefined;
  clock = new FakeClock();
  port = await freePort(VIP);
  plane = createDataPlane({
    workers: WORKERS,
    clock,
    onReport: (report) => {
      reports.push(report);
      onReport();
    },
    log: { info: note, warn: note, error: note },
    spawn: (start) => {
      const worker = spawnWorker(start);
      workers.push(worker);
      for (const heard of spawns.splice(0)) heard();
      return worker;
    },
  });
  await plane.start();
});
afterEach(async () => {
  await plane.stop({ drainTimeoutMs: 0 });
  await Promise.all(servers.map((server) => server.close()));
});

function note(event: string): void {
  events.push(event);
}

function web(part: Partial<PoolUnit> = {}): Unit {
  const backends = servers.map(({ name, port: at }) => backendUnit(name, { port: at }));
  return unit({ name: "web", vip: VIP, listeners: [listenerUnit({ port })], pools: [poolUnit(backends, part)] });
}

const nextReport = (): Promise<void> => new Promise((resolve) => (onReport = resolve));

/** Waits for what other threads do: counters are written there, and nothing tells when. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

describe("traffic", () => {
  it("spreads 15 connections 5-5-5 in round robin, whichever worker accepts them", async () => {
    expect(await plane.apply(snapshot(1, [web()]))).toEqual({ revision: 1, problems: [] });
    for (let connection = 0; connection < 15; connection++) await whoServes(port, VIP);
    expect(servers.map(({ connections }) => connections)).toEqual([5, 5, 5]);
  });

  it("counts connections and bytes over all workers", async () => {
    await plane.apply(snapshot(1, [web()]));
    const client = await openClient(port, VIP);
    await client.echo("hello");
    expect(plane.listenerFigures("listener").connectionsActive).toBe(1);
    expect(plane.backendFigures(client.server).connectionsActive).toBe(1);
    client.socket.end();
    await client.ended;
    for (let connection = 0; connection < 9; connection++) await whoServes(port, VIP);
    await until(() => plane.listenerFigures("listener").connectionsActive === 0);
    // A name and a line break ten times, and the greeting's echo.
    expect(plane.listenerFigures("listener")).toMatchObject({ connectionsTotal: 10, bytesIn: 5, bytesOut: 25 });
    const totals = servers.map(({ name }) => plane.backendFigures(name).connectionsTotal);
    expect(totals.reduce((sum, total) => sum + total, 0)).toBe(10);
  });

  it("prefers the backend with the fewest connections of all workers", async () => {
    await plane.apply(snapshot(1, [web({ algorithm: "LEAST_CONNECTIONS" })]));
    const held = await Promise.all(Array.from({ length: 12 }, () => openClient(port, VIP)));
    const idle = held.filter(({ server }) => server === "b");
    for (const client of idle) client.socket.end();
    await Promise.all(idle.map(({ ended }) => ended));
    await until(() => plane.backendFigures("b").connectionsActive === 0);
    expect(await Promise.all(Array.from({ length: 2 }, () => whoServes(port, VIP)))).toEqual(["b", "b"]);
    for (const client of held) client.socket.destroy();
  });

  it("holds a listener's connection limit over all workers", async () => {
    const limited = { ...web(), listeners: [listenerUnit({ port, connectionLimit: 4 })] };
    await plane.apply(snapshot(1, [limited]));
    const clients = [];
    for (let connection = 0; connection < 4; connection++) clients.push(await openClient(port, VIP));
    for (let connection = 0; connection < 8; connection++)
      await expect(openClient(port, VIP)).rejects.toThrow("ECONNRESET");
    expect(plane.listenerFigures("listener")).toMatchObject({
      connectionsActive: 4,
      rejected: { "connection-limit": 8 },
    });
    for (const client of clients) client.socket.destroy();
  });

  it("goes by health at once, and ends connections to a backend that is found down", async () => {
    const monitored = web();
    const pools = monitored.pools.map((pool) => ({
      ...pool,
      backends: pool.backends.map((backend) => ({ ...backend, monitored: true })),
    }));
    await plane.apply(snapshot(1, [{ ...monitored, pools }]));
    for (const name of ["a", "b", "c"]) plane.setHealth(name, "ONLINE");
    const clients = await Promise.all(Array.from({ length: 6 }, () => openClient(port, VIP)));
    plane.setHealth("a", "OFFLINE");
    const [down, up] = [clients.filter(({ server }) => server === "a"), clients.filter(({ server }) => server !== "a")];
    expect(down.length).toBeGreaterThan(0);
    expect(await Promise.all(down.map(({ ended }) => ended))).toEqual(down.map(() => "reset"));
    for (const client of up) expect(await client.echo("still here")).toBe("still here");
    for (let connection = 0; connection < 8; connection++) expect(await whoServes(port, VIP)).not.toBe("a");
    plane.setHealth("a", "ONLINE");
    const served = new Set<string>();
    while (!served.has("a")) served.add(await whoServes(port, VIP));
    for (const client of up) client.socket.destroy();
  });
});

describe("apply", () => {
  it("does nothing the second time", async () => {
    const same = snapshot(1, [web()]);
    await plane.apply(same);
    const client = await openClient(port, VIP);
    expect(await plane.apply(same)).toEqual({ revision: 1, problems: [] });
    expect(await client.echo("x")).toBe("x");
    client.socket.destroy();
  });

  it("drops no connection that a change doesn't concern", async () => {
    const otherPort = await freePort(VIP);
    const other = unit({
      loadBalancerId: "other",
      vip: VIP,
      listeners: [listenerUnit({ id: "other-listener", port: otherPort, defaultPoolId: "other-pool" })],
      pools: [poolUnit([backendUnit("other-a", { port: servers[0]!.port })], { id: "other-pool" })],
    });
    await plane.apply(snapshot(1, [web(), other]));
    const clients = await Promise.all([port, port, port, otherPort].map((at) => openClient(at, VIP)));
    for (let revision = 2; revision < 12; revision++) {
      const backends = servers.map(({ name, port: at }) => backendUnit(name, { port: at, weight: revision }));
      await plane.apply(snapshot(revision, [{ ...web(), pools: [poolUnit(backends)] }, other]));
    }
    for (const client of clients) expect(await client.echo("mine")).toBe("mine");
    for (const client of clients) client.socket.destroy();
  });

  it("closes a removed listener's port and lets its connections finish", async () => {
    await plane.apply(snapshot(1, [web()]));
    const client = await openClient(port, VIP);
    await plane.apply(snapshot(2, []));
    await expect(openClient(port, VIP)).rejects.toThrow("ECONNREFUSED");
    expect(await client.echo("still here")).toBe("still here");
    client.socket.end();
    expect(await client.ended).toBe("closed");
  });

  it("ends connections to a removed backend when its drain time is over", async () => {
    await plane.apply(snapshot(1, [web({ drainTimeoutMs: 0 })]));
    const clients = await Promise.all(Array.from({ length: 3 }, () => openClient(port, VIP)));
    const { pools } = web({ drainTimeoutMs: 0 });
    const without = pools.map((pool) => ({ ...pool, backends: pool.backends.filter(({ id }) => id !== "b") }));
    await plane.apply(snapshot(2, [{ ...web(), pools: without }]));
    for (const client of clients) {
      if (client.server === "b") expect(await client.ended).toBe("reset");
      else expect(await client.echo("still here")).toBe("still here");
      client.socket.destroy();
    }
  });

  it("ends connections of a pool that goes while its listener stays", async () => {
    await plane.apply(snapshot(1, [web({ drainTimeoutMs: 0 })]));
    const before = await openClient(port, VIP);
    const listeners = [listenerUnit({ port, defaultPoolId: "next" })];
    const backends = [backendUnit("next-a", { port: servers[0]!.port })];
    await plane.apply(snapshot(2, [{ ...web(), listeners, pools: [poolUnit(backends, { id: "next" })] }]));
    expect(await before.ended).toBe("reset");
    expect(await whoServes(port, VIP)).toBe("a");
    expect(plane.backendFigures("next-a").connectionsTotal).toBe(1);
  });

  it("hands a port over to another listener without closing it", async () => {
    await plane.apply(snapshot(1, [web()]));
    const before = await openClient(port, VIP);
    const renamed = {
      ...web({ id: "pool2" }),
      loadBalancerId: "lb2",
      listeners: [listenerUnit({ id: "listener2", port, defaultPoolId: "pool2" })],
    };
    expect((await plane.apply(snapshot(2, [renamed]))).problems).toEqual([]);
    await whoServes(port, VIP);
    expect(plane.listenerFigures("listener2").connectionsTotal).toBe(1);
    expect(await before.echo("x")).toBe("x");
    before.socket.destroy();
  });

  it("keeps the figures of what goes and comes back", async () => {
    await plane.apply(snapshot(1, [web()]));
    for (let connection = 0; connection < 3; connection++) await whoServes(port, VIP);
    await plane.apply(snapshot(2, []));
    await plane.apply(snapshot(3, [web()]));
    for (let connection = 0; connection < 3; connection++) await whoServes(port, VIP);
    expect(servers.map(({ name }) => plane.backendFigures(name).connectionsTotal)).toEqual([2, 2, 2]);
    expect(plane.listenerFigures("listener").connectionsTotal).toBe(6);
  });
});

describe("a port that can't be bound", () => {
  it("is a problem while another program has it, even one that shares it, and opens once it is free", async () => {
    const foreign = createServer();
    foreign.listen({ port, host: VIP, reusePort: true });
    await once(foreign, "listening");
    const { problems } = await plane.apply(snapshot(1, [web()]));
    const reason =
      `Cannot bind listener web/tcp: ${VIP}:${port} is in use; stop what listens there ` +
      `(ss -ltnp "sport = :${port}" names it) or change the port`;
    expect(problems).toEqual([{ loadBalancerId: "lb", listenerId: "listener", reason, isClosed: true }]);
    expect((await plane.apply(snapshot(2, [...snapshot(2, [web()]).units.values()]))).problems).toHaveLength(1);
    foreign.close();
    await once(foreign, "close");
    const reported = nextReport();
    clock.advance(RETRY_INTERVAL_MS);
    await reported;
    expect(reports).toEqual([{ revision: 2, problems: [] }]);
    expect(["a", "b", "c"]).toContain(await whoServes(port, VIP));
  });

  it("names an address that is not this host's", async () => {
    const { problems } = await plane.apply(snapshot(1, [{ ...web(), vip: "203.0.113.9" }]));
    expect(problems[0]?.reason).toBe(
      'Cannot bind listener web/tcp: 203.0.113.9 is no address of this host; set dataPlane.bind to "assign" (or ' +
        '"anyip"), or add it: ip address add 203.0.113.9/32 dev lo',
    );
  });

  it("keeps the other listeners open", async () => {
    const foreign = createServer();
    const taken = await freePort(VIP);
    await listen(foreign, taken, VIP);
    const listeners = [listenerUnit({ port }), listenerUnit({ id: "second", name: "second", port: taken })];
    const { problems } = await plane.apply(snapshot(1, [{ ...web(), listeners }]));
    expect(problems.map(({ listenerId }) => listenerId)).toEqual(["second"]);
    expect(["a", "b", "c"]).toContain(await whoServes(port, VIP));
    foreign.close();
  });
});

describe("a worker that dies", () => {
  it("is replaced; connections of the other live on, figures stay, and the new one serves", async () => {
    await plane.apply(snapshot(1, [web({ algorithm: "MAGLEV" })]));
    const clients = await Promise.all(Array.from({ length: 24 }, () => openClient(port, VIP)));
    const total = plane.listenerFigures("listener").connectionsTotal;
    const replaced = new Promise<void>((resolve) => spawns.push(resolve));
    await workers[0]!.terminate();
    await replaced;
    const survivors = await aliveOf(clients);
    expect(survivors.length).toBeGreaterThan(0);
    expect(survivors.length).toBeLessThan(clients.length);
    expect(plane.workerLosses).toBe(1);
    expect(events).toContain("data plane worker died, its connections are lost; starting another");
    expect(plane.listenerFigures("listener")).toMatchObject({
      connectionsActive: survivors.length,
      connectionsTotal: total,
    });
    await plane.apply(snapshot(2, [web()]));
    // Only the new one is left to accept: that it does shows that it got everything.
    const replacedToo = new Promise<void>((resolve) => spawns.push(resolve));
    await workers[1]!.terminate();
    for (let connection = 0; connection < 6; connection++)
      expect(["a", "b", "c"]).toContain(await whoServes(port, VIP));
    clock.advance(100);
    await replacedToo;
    for (const client of survivors) client.socket.destroy();
  });

  it("is started again after a pause when it dies young again", async () => {
    await workers[0]!.terminate();
    await until(() => workers.length === WORKERS + 1);
    await workers[WORKERS]!.terminate();
    await until(() => plane.workerLosses === 2);
    expect(workers).toHaveLength(WORKERS + 1);
    clock.advance(100);
    expect(workers).toHaveLength(WORKERS + 2);
  });
});

/** The clients whose connection still carries bytes. */
async function aliveOf<T extends { echo(text: string): Promise<string> }>(clients: readonly T[]): Promise<T[]> {
  const alive = await Promise.all(
    clients.map((client) =>
      client.echo("?").then(
        (answer) => answer === "?",
        () => false,
      ),
    ),
  );
  return clients.filter((_, index) => alive[index]);
}

describe("stop", () => {
  it("stops accepting, lets connections finish and resolves when the last has", async () => {
    await plane.apply(snapshot(1, [web()]));
    const client = await openClient(port, VIP);
    const stopped = plane.stop({ drainTimeoutMs: 60_000 });
    await refused();
    expect(await client.echo("last words")).toBe("last words");
    client.socket.end();
    expect(await client.ended).toBe("closed");
    await stopped;
    await expect(plane.apply(snapshot(2, []))).rejects.toThrow("the data plane is stopped");
  });

  it("ends what is left when the time is over", async () => {
    await plane.apply(snapshot(1, [web()]));
    const client = await openClient(port, VIP);
    await plane.stop({ drainTimeoutMs: 1 });
    expect(await client.ended).toBe("reset");
  });
});

async function refused(): Promise<void> {
  for (;;) {
    try {
      await whoServes(port, VIP);
    } catch {
      return;
    }
  }
}

describe("options", () => {
  it.each([0, -1, 1.5])("refuses %s workers", (count) => {
    expect(() => createDataPlane({ workers: count, clock: systemClock })).toThrow(RangeError);
  });

  it("says why a worker can't start", async () => {
    const broken = createDataPlane({
      workers: 1,
      clock: systemClock,
      spawn: (start) => spawnWorker({ ...start, memory: undefined as never }),
    });
    await expect(broken.start()).rejects.toThrow("Cannot start a data plane worker: TypeError");
  });
});
