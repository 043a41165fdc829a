import type { Worker } from "node:worker_threads";

import { afterEach, beforeEach, expect, it, jest } from "@jest/globals";

import { systemClock } from "../../src/clock.ts";
import type { DataPlane } from "../../src/data/data-plane.ts";
import { createDataPlane } from "../../src/data/pool.ts";
import { spawnWorker } from "../../src/data/worker-handle.ts";
import type { PoolUnit, Unit } from "../../src/snapshot/snapshot.ts";
import { freePort } from "./tcp-peers.ts";
import { openUdpClient, startUdpServer, type UdpClient, type UdpServer, whoAnswers } from "./udp-peers.ts";
import { backendUnit, listenerUnit, poolUnit, snapshot, unit } from "./units.ts";

// Threads start and stop here, on machines that do other things besides.
jest.setTimeout(60_000);

const WORKERS = 2;
const VIP = "127.78.0.1";

let servers: UdpServer[];
let clients: UdpClient[];
let workers: Worker[];
let onSpawn: () => void;
let plane: DataPlane;
let port: number;

beforeEach(async () => {
  servers = await Promise.all(["a", "b", "c"].map((name) => startUdpServer(name)));
  clients = [];
  workers = [];
  onSpawn = () => undefined;
  port = await freePort(VIP);
  plane = createDataPlane({
    workers: WORKERS,
    clock: systemClock,
    spawn: (start) => {
      const worker = spawnWorker(start);
      workers.push(worker);
      onSpawn();
      return worker;
    },
  });
  await plane.start();
});
afterEach(async () => {
  for (const client of clients) client.close();
  await plane.stop({ drainTimeoutMs: 0 });
  await Promise.all(servers.map((server) => server.close()));
});

function dns(part: Partial<PoolUnit> = {}): Unit {
  const backends = servers.map(({ name, port: at }) => backendUnit(name, { port: at }));
  const listeners = [listenerUnit({ protocol: "UDP", port, clientIdleTimeoutMs: 60_000 })];
  return unit({ name: "dns", vip: VIP, listeners, pools: [poolUnit(backends, { protocol: "UDP", ...part })] });
}

async function open(count: number): Promise<UdpClient[]> {
  const opened = await Promise.all(Array.from({ length: count }, () => openUdpClient(VIP, port)));
  clients.push(...opened);
  return opened;
}

/** Waits for what other threads do: counters are written there, and nothing tells when. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

it("both workers carry flows, and none carries another's", async () => {
  expect(await plane.apply(snapshot(1, [dns()]))).toEqual({ revision: 1, problems: [] });
  for (const client of await open(30)) {
    const name = await client.ask("0");
    for (let i = 1; i < 5; i++) expect(await client.ask(`${i}`)).toBe(name);
  }
  // A flow that two workers had would have been counted by both.
  expect(plane.listenerFigures("listener")).toMatchObject({ connectionsActive: 30, connectionsTotal: 30 });
  expect(servers.map(({ sources }) => sources.size)).toEqual([10, 10, 10]);
});

it("a worker that dies takes its flows along; with Maglev they find the same backend through the others", async () => {
  await plane.apply(snapshot(1, [dns({ algorithm: "MAGLEV", maglev: MAGLEV })]));
  const opened = await open(40);
  const before = await Promise.all(opened.map((client) => client.ask("before")));
  expect(new Set(before).size).toBe(3);
  const spawned = new Promise<void>((resolve) => (onSpawn = resolve));
  await workers[0]!.terminate();
  const meanwhile = await Promise.all(opened.map((client) => client.ask("meanwhile")));
  expect(meanwhile).toEqual(before);
  await spawned;
  await until(() => plane.workerLosses === 1);
  const after = await Promise.all(opened.map((client) => client.ask("after")));
  expect(after).toEqual(before);
  // Only the one that came in its place is left: that it answers shows that it was told everything.
  onSpawn = () => undefined;
  await plane.apply(snapshot(2, [dns()]));
  await workers[1]!.terminate();
  expect(["a", "b", "c"]).toContain(await whoAnswers(VIP, port));
});

it("a backend found down gives up the flows of all workers, and its figures show it", async () => {
  await plane.apply(snapshot(1, [dns()]));
  const opened = await open(12);
  const before = await Promise.all(opened.map((client) => client.ask("before")));
  plane.setHealth("b", "OFFLINE");
  await until(() => plane.backendFigures("b").connectionsActive === 0);
  expect(plane.listenerFigures("listener").connectionsActive).toBe(8);
  const after = await Promise.all(opened.map((client) => client.ask("after")));
  for (const [index, name] of after.entries()) {
    if (before[index] === "b") expect(["a", "c"]).toContain(name);
    else expect(name).toBe(before[index]);
  }
  expect(plane.listenerFigures("listener")).toMatchObject({ connectionsActive: 12, connectionsTotal: 16 });
});

it("datagrams for which there is no backend are dropped and counted", async () => {
  await plane.apply(snapshot(1, [dns({ backends: [] })]));
  const [client] = await open(1);
  client!.send("?");
  await until(() => plane.listenerFigures("listener").rejected["no-backend"] === 1);
  expect(plane.listenerFigures("listener").connectionsActive).toBe(0);
});

it("a backend that refuses is counted, and the flow goes on elsewhere", async () => {
  const declared = dns();
  await servers.shift()!.close();
  await plane.apply(snapshot(1, [declared]));
  for (const client of await open(3)) expect(["b", "c"]).toContain(await client.ask("?"));
  expect(plane.backendFigures("a").connectErrorsTotal).toBeGreaterThan(0);
  expect(plane.backendFigures("a").connectionsActive).toBe(0);
});

const MAGLEV = { tableSize: 1021, hashKey: "FIVE_TUPLE", seed: 1 } as const;
