import { BackendStatus, OperatingStatus } from "@fiberlb/api";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";

import { type NamedServer, openClient, startNamedServer, startNamedServerAt, whoServes } from "../data/tcp-peers.ts";
import { type Declared, declare, untilApplied } from "./declare.ts";
import { tally, untilConnections } from "./tally.ts";
import { startTestNode, type TestNode } from "./test-node.ts";
import { until } from "./until.ts";

jest.setTimeout(60_000);

let node: TestNode;
let servers: NamedServer[];

beforeAll(async () => {
  servers = await Promise.all(["a", "b", "c"].map((name) => startNamedServer(name)));
  node = await startTestNode();
});
afterAll(async () => {
  await node?.stop();
  await Promise.all(servers.map((server) => server.close()));
});

const three = () => servers.map(({ port }) => ({ port }));

/** Waits for a backend's status; answers why it has it. */
async function untilStatus(id: string, status: BackendStatus): Promise<string> {
  const backend = await until(
    `backend ${id} has status ${status}`,
    async () => (await node.client.backends.getBackend({ id })).backend!,
    (answer) => answer.status === status,
  );
  return backend.statusReason;
}

async function update(lb: Declared, backend: number, fields: { weight?: number; adminStateUp?: boolean }) {
  const id = lb.backendIds[backend]!;
  const { revision } = (await node.client.backends.getBackend({ id })).backend!;
  await node.client.backends.updateBackend({
    backend: { id, revision, ...fields },
    updateMask: { paths: Object.keys(fields).map((name) => (name === "adminStateUp" ? "admin_state_up" : name)) },
  });
  await untilApplied(node.client, lb.loadBalancerId);
}

const untilLoadBalancer = (lb: Declared, status: OperatingStatus) =>
  until(
    `the load balancer has operating status ${status}`,
    async () => (await node.client.loadBalancers.getLoadBalancer({ id: lb.loadBalancerId })).loadBalancer!,
    ({ operatingStatus }) => operatingStatus === status,
  );

test("a stopped backend goes OFFLINE and gets nothing; started again it comes back by itself", async () => {
  const lb = await declare(node.client, { backends: three(), monitored: true });
  for (const id of lb.backendIds) await untilStatus(id, BackendStatus.ONLINE);
  expect(await tally(lb, 15)).toEqual({ a: 5, b: 5, c: 5 });

  const { port } = servers[1]!;
  await servers[1]!.close();
  const reason = await untilStatus(lb.backendIds[1]!, BackendStatus.OFFLINE);
  expect(reason).toMatch(/refused/i);
  expect(await tally(lb, 14)).toEqual({ a: 7, c: 7 });
  await untilLoadBalancer(lb, OperatingStatus.DEGRADED);

  servers[1] = await startNamedServerAt({ port }, "b");
  await untilStatus(lb.backendIds[1]!, BackendStatus.ONLINE);
  expect(await tally(lb, 15)).toEqual({ a: 5, b: 5, c: 5 });
  await untilLoadBalancer(lb, OperatingStatus.ONLINE);
});

test("with every backend OFFLINE a client is reset at once, and the load balancer is in ERROR", async () => {
  const gone = await startNamedServer("gone");
  await gone.close();
  const lb = await declare(node.client, { backends: [{ port: gone.port }], monitored: true });
  await untilStatus(lb.backendIds[0]!, BackendStatus.OFFLINE);
  await expect(whoServes(lb.port, lb.host)).rejects.toMatchObject({ code: "ECONNRESET" });
  await untilLoadBalancer(lb, OperatingStatus.ERROR);
});

test("a backend that refuses is passed over for the next one before any health check has seen it", async () => {
  const gone = await startNamedServer("gone");
  await gone.close();
  const lb = await declare(node.client, { backends: [{ port: gone.port }, { port: servers[0]!.port }] });
  expect(await tally(lb, 10)).toEqual({ a: 10 });
});

test("backups get traffic only while no other backend can", async () => {
  const main = await startNamedServer("main");
  const lb = await declare(node.client, {
    backends: [{ port: main.port }, { port: servers[0]!.port, backup: true }],
    monitored: true,
  });
  await untilStatus(lb.backendIds[0]!, BackendStatus.ONLINE);
  expect(await tally(lb, 6)).toEqual({ main: 6 });

  await main.close();
  await untilStatus(lb.backendIds[0]!, BackendStatus.OFFLINE);
  expect(await tally(lb, 6)).toEqual({ a: 6 });

  const again = await startNamedServerAt({ port: main.port }, "main");
  await untilStatus(lb.backendIds[0]!, BackendStatus.ONLINE);
  expect(await tally(lb, 6)).toEqual({ main: 6 });
  await again.close();
});

test("weight 0 drains: connections go on, new ones go elsewhere", async () => {
  const lb = await declare(node.client, { backends: three() });
  const held = [await openClient(lb.port, lb.host), await openClient(lb.port, lb.host)];
  expect(held.map(({ server }) => server)).toEqual(["a", "b"]);
  await update(lb, 0, { weight: 0 });
  expect(Object.keys(await tally(lb, 10)).toSorted()).toEqual(["b", "c"]);
  expect(await held[0]!.echo("still here")).toBe("still here");
  await update(lb, 0, { weight: 1 });
  expect(await tally(lb, 15)).toEqual({ a: 5, b: 5, c: 5 });
  for (const { socket } of held) socket.destroy();
});

test("a backend that is administratively down gets nothing new and keeps what it has", async () => {
  const lb = await declare(node.client, { backends: three() });
  const held = await openClient(lb.port, lb.host);
  await update(lb, 0, { adminStateUp: false });
  expect(Object.keys(await tally(lb, 10)).toSorted()).toEqual(["b", "c"]);
  expect(await held.echo("still here")).toBe("still here");
  held.socket.destroy();
});

test("what outlives the pool's drain time is reset", async () => {
  const lb = await declare(node.client, { pool: { drainTimeoutS: 0 }, backends: three() });
  const held = await openClient(lb.port, lb.host);
  await node.client.backends.deleteBackend({ id: lb.backendIds[0]! });
  expect(await held.ended).toBe("reset");
});

test("max_connections of a backend holds over all workers: the rest goes elsewhere", async () => {
  const [a, b] = three();
  const lb = await declare(node.client, { backends: [{ ...a!, maxConnections: 3 }, b!] });
  const held = [];
  for (let i = 0; i < 20; i++) held.push(await openClient(lb.port, lb.host));
  const byServer = Object.groupBy(held, ({ server }) => server);
  expect(byServer["a"]).toHaveLength(3);
  expect(byServer["b"]).toHaveLength(17);

  byServer["a"]![0]!.socket.end();
  await untilConnections(node.client, lb, 19);
  expect(Object.keys(await tally(lb, 4)).toSorted()).toEqual(["a", "b"]);
  for (const { socket } of held) socket.destroy();
});
