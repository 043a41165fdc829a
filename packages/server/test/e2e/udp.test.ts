import { randomBytes } from "node:crypto";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";

import {
  BackendStatus,
  HealthCheckType,
  ListenerProtocol,
  PoolAlgorithm,
  PoolProtocol,
  SessionPersistenceType,
} from "@fiberlb/api";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";

import { listen } from "../data/tcp-peers.ts";
import { openUdpClient, startUdpServer, type UdpClient, type UdpServer, whoAnswers } from "../data/udp-peers.ts";
import { type Declaration, type Declared, declare, untilApplied } from "./declare.ts";
import { untilConnections } from "./tally.ts";
import { startTestNode, type TestNode } from "./test-node.ts";
import { until } from "./until.ts";

jest.setTimeout(60_000);

let node: TestNode;
let servers: readonly UdpServer[];

beforeAll(async () => {
  servers = await Promise.all(["a", "b", "c"].map((name) => startUdpServer(name)));
  node = await startTestNode();
});
afterAll(async () => {
  await node?.stop();
  await Promise.all(servers.map((server) => server.close()));
});

const three = () => servers.map(({ port }) => ({ port }));

/** A load balancer with a UDP listener and a pool of UDP servers. */
const declareUdp = ({ pool, listener, ...rest }: Declaration, on: TestNode = node): Promise<Declared> =>
  declare(on.client, {
    pool: { protocol: PoolProtocol.UDP, ...pool },
    listener: { protocol: ListenerProtocol.UDP, ...listener },
    ...rest,
  });

/** Resolves when the change is in force. */
async function updateListener(
  { listenerId, loadBalancerId }: Declared,
  fields: { readonly clientIdleTimeoutMs?: number; readonly allowedCidrs?: string[] },
): Promise<void> {
  const { revision } = (await node.client.listeners.getListener({ id: listenerId })).listener!;
  const path = fields.allowedCidrs === undefined ? "client_idle_timeout_ms" : "allowed_cidrs";
  await node.client.listeners.updateListener({
    listener: { id: listenerId, revision, ...fields },
    updateMask: { paths: [path] },
  });
  await untilApplied(node.client, loadBalancerId);
}

async function tally({ host, port }: Declared, clients: number, from?: string): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < clients; i++) {
    const name = await whoAnswers(host, port, from);
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

test("round robin by flow, whichever worker takes it; a flow stays with its backend, and answers come from the VIP", async () => {
  const lb = await declareUdp({ backends: three() });
  expect(await tally(lb, 15)).toEqual({ a: 5, b: 5, c: 5 });
  const client = await openUdpClient(lb.host, lb.port);
  const name = await client.ask("0");
  for (let i = 1; i < 50; i++) expect(await client.ask(`${i}`)).toBe(name);
  expect(client.answeredBy).toMatchObject({ address: lb.host, port: lb.port });
  client.close();
});

test("Maglev on five fields spreads flows; source IP persistence keeps a client's flows together", async () => {
  const maglev = await declareUdp({ pool: { algorithm: PoolAlgorithm.MAGLEV }, backends: three() });
  expect(Object.keys(await tally(maglev, 40)).toSorted()).toEqual(["a", "b", "c"]);
  const sticky = await declareUdp({
    pool: { sessionPersistence: { type: SessionPersistenceType.SOURCE_IP } },
    backends: three(),
  });
  const chosen = new Set<string>();
  for (let source = 1; source <= 20; source++) {
    const counts = await tally(sticky, 3, `127.0.9.${source}`);
    expect(Object.values(counts)).toEqual([3]);
    chosen.add(Object.keys(counts)[0]!);
  }
  expect([...chosen].toSorted()).toEqual(["a", "b", "c"]);
});

test("datagrams of any size pass whole both ways: none, one byte, and the most that IPv4 takes", async () => {
  const lb = await declareUdp({ backends: [{ port: servers[0]!.port }] });
  const client = await openUdpClient(lb.host, lb.port);
  for (const length of [0, 1, 1472, 9000, 65_507 - "a:".length]) {
    const sent = randomBytes(length);
    client.send(sent);
    expect((await client.next()).equals(Buffer.concat([Buffer.from("a:"), sent]))).toBe(true);
  }
  client.close();
});

test("statistics: flows and bytes of both directions, exactly; flows end by themselves", async () => {
  const lb = await declareUdp({ backends: three() });
  const client = await openUdpClient(lb.host, lb.port);
  client.send("x".repeat(1000));
  await client.next();
  await untilConnections(node.client, lb, 1);
  await updateListener(lb, { clientIdleTimeoutMs: 500 });
  await untilConnections(node.client, lb, 0);
  const { stats } = await node.client.loadBalancers.getLoadBalancerStats({ id: lb.loadBalancerId });
  expect(stats).toMatchObject({ bytesIn: 1000n, bytesOut: 1002n, totalConnections: 1n });
  client.close();
});

test("two thousand clients with one question each leave no flow behind", async () => {
  const lb = await declareUdp({ listener: { clientIdleTimeoutMs: 2000 }, backends: three() });
  // They keep their ports, or the system would give the same one to several.
  const clients: UdpClient[] = [];
  for (let batch = 0; batch < 20; batch++) {
    const some = await Promise.all(Array.from({ length: 100 }, () => openUdpClient(lb.host, lb.port)));
    clients.push(...some);
    await Promise.all(some.map((client) => client.ask("?")));
  }
  await untilConnections(node.client, lb, 0);
  const { stats } = await node.client.loadBalancers.getLoadBalancerStats({ id: lb.loadBalancerId });
  // More if a busy machine had one ask again after its flow was gone.
  expect(stats!.totalConnections).toBeGreaterThanOrEqual(2000n);
  for (const client of clients) client.close();
});

test("connection_limit counts flows over all workers; what is over it is dropped until others have ended", async () => {
  const lb = await declareUdp({ listener: { connectionLimit: 5 }, backends: three() });
  const clients = await Promise.all(Array.from({ length: 6 }, () => openUdpClient(lb.host, lb.port)));
  const late = clients.pop()!;
  for (const client of clients) expect(await client.ask("first")).toMatch(/^[abc]$/);
  let isAnswered = false;
  const answer = late.ask("late").finally(() => (isAnswered = true));
  for (const client of clients) expect(await client.ask("second")).toMatch(/^[abc]$/);
  expect(isAnswered).toBe(false);
  await updateListener(lb, { clientIdleTimeoutMs: 500 });
  expect(await answer).toMatch(/^[abc]$/);
  for (const client of [...clients, late]) client.close();
});

test("allowed_cidrs: a client that is not allowed any more is cut off at once", async () => {
  const lb = await declareUdp({ listener: { allowedCidrs: ["127.0.8.0/24"] }, backends: three() });
  const [inside, outside] = await Promise.all([
    openUdpClient(lb.host, lb.port, "127.0.8.7"),
    openUdpClient(lb.host, lb.port, "127.0.7.7"),
  ]);
  expect(await inside.ask("1")).toMatch(/^[abc]$/);
  outside.send("dropped");
  await updateListener(lb, { allowedCidrs: ["127.0.7.0/24"] });
  await untilConnections(node.client, lb, 0);
  inside.send("dropped");
  expect(await outside.ask("2")).toMatch(/^[abc]$/);
  expect((await node.client.loadBalancers.getLoadBalancerStats({ id: lb.loadBalancerId })).stats!).toMatchObject({
    totalConnections: 2n,
  });
  for (const client of [inside, outside]) client.close();
});

test("max_connections counts flows: what is over it goes to another backend", async () => {
  const lb = await declareUdp({
    backends: [{ port: servers[0]!.port, maxConnections: 2 }, { port: servers[1]!.port }],
  });
  const clients = await Promise.all(Array.from({ length: 10 }, () => openUdpClient(lb.host, lb.port)));
  const names: string[] = [];
  for (const client of clients) names.push(await client.ask("?"));
  expect(names.filter((name) => name === "a")).toHaveLength(2);
  for (const client of clients) client.close();
});

test("a backend that refuses is passed over by the next datagram of the same flow", async () => {
  const gone = await startUdpServer("gone");
  await gone.close();
  const lb = await declareUdp({ backends: [{ port: gone.port }, { port: servers[0]!.port }] });
  // Two clients, so that one of them begins with the one that is gone.
  for (let i = 0; i < 2; i++) expect(await whoAnswers(lb.host, lb.port)).toBe("a");
});

test("a backend found down gives up its flows at once, though it would still answer", async () => {
  const monitors = await Promise.all(
    servers.map(async () => {
      const server = createServer((socket) => void socket.destroy());
      await listen(server, 0);
      return server;
    }),
  );
  const ports = monitors.map((server) => (server.address() as { port: number }).port);
  const lb = await declareUdp({
    backends: servers.map(({ port }, index) => ({ port, monitorPort: ports[index]! })),
  });
  await node.client.healthChecks.createHealthCheck({
    poolId: lb.poolId,
    type: HealthCheckType.TCP,
    intervalMs: 250,
    timeoutMs: 250,
    rise: 1,
    fall: 3,
  });
  const untilStatus = (index: number, wanted: BackendStatus) =>
    until(
      `backend ${index} has status ${wanted}`,
      async () => (await node.client.backends.getBackend({ id: lb.backendIds[index]! })).backend!,
      ({ status }) => status === wanted,
    );
  for (const index of servers.keys()) await untilStatus(index, BackendStatus.ONLINE);
  const clients = await Promise.all(Array.from({ length: 9 }, () => openUdpClient(lb.host, lb.port)));
  const before = await Promise.all(clients.map((client) => client.ask("before")));
  expect(before.toSorted().join("")).toBe("aaabbbccc");
  monitors[1]!.close();
  await untilStatus(1, BackendStatus.OFFLINE);
  const after = await Promise.all(clients.map((client) => client.ask("after")));
  expect(after).not.toContain("b");
  for (const client of clients) client.close();
  for (const index of [0, 2]) monitors[index]!.close();
});

test("a backend that drains keeps its flows for the drain time, and gets no new one", async () => {
  const lb = await declareUdp({ pool: { drainTimeoutS: 2 }, backends: three() });
  const clients = await Promise.all(Array.from({ length: 6 }, () => openUdpClient(lb.host, lb.port)));
  const before = await Promise.all(clients.map((client) => client.ask("before")));
  const id = lb.backendIds[1]!;
  const { revision } = (await node.client.backends.getBackend({ id })).backend!;
  await node.client.backends.updateBackend({
    backend: { id, revision, weight: 0 },
    updateMask: { paths: ["weight"] },
  });
  await untilApplied(node.client, lb.loadBalancerId);
  expect(Object.keys(await tally(lb, 6)).toSorted()).toEqual(["a", "c"]);
  const drained = clients[before.indexOf("b")]!;
  await until(
    "the flow has left the backend that drains",
    () => drained.ask("still?"),
    (name) => name !== "b",
  );
  for (const client of clients) client.close();
});

test("TCP and UDP listeners share a port number; a UDP port that somebody else owns is a problem with its reason", async () => {
  const lb = await declareUdp({ backends: three() });
  const taken = await startUdpServer("squatter", { host: lb.host });
  const { listener } = await node.client.listeners.createListener({
    loadBalancerId: lb.loadBalancerId,
    protocol: ListenerProtocol.UDP,
    port: taken.port,
    defaultPoolId: lb.poolId,
  });
  const tcpPool = (await node.client.pools.createPool({ loadBalancerId: lb.loadBalancerId })).pool!.id;
  await node.client.listeners.createListener({
    loadBalancerId: lb.loadBalancerId,
    protocol: ListenerProtocol.TCP,
    port: lb.port,
    defaultPoolId: tcpPool,
  });
  const { statusReason } = await until(
    "the listener says why it is not open",
    async () => (await node.client.listeners.getListener({ id: listener!.id })).listener!,
    (answer) => answer.statusReason !== "",
  );
  expect(statusReason).toContain(`${lb.host}:${taken.port} is in use; stop what listens there (ss -lunp`);
  expect(await whoAnswers(lb.host, lb.port)).toMatch(/^[abc]$/);
  await taken.close();
  await untilApplied(node.client, lb.loadBalancerId);
  expect(await whoAnswers(lb.host, taken.port)).toMatch(/^[abc]$/);
});

const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === "::1"));
const why = hasIpv6 ? "" : "this host has no ::1";
(why ? describe.skip : describe)(`IPv6${why ? ` (skipped: ${why})` : ""}`, () => {
  test("a VIP and a backend of IPv6, and one of IPv4 behind the same VIP", async () => {
    const six = await startUdpServer("six", { host: "::1" });
    const other = await startTestNode({
      "dataPlane.bind": "existing",
      vipPools: [{ name: "six", cidrs: ["::1/128"] }],
    });
    try {
      const backends = [{ address: "::1", port: six.port }, { port: servers[0]!.port }];
      const lb = await declareUdp({ vipAddress: "::1", backends }, other);
      expect(await tally(lb, 6)).toEqual({ six: 3, a: 3 });
      const client = await openUdpClient(lb.host, lb.port);
      const name = await client.ask("?");
      const big = randomBytes(65_000);
      client.send(big);
      expect((await client.next()).equals(Buffer.concat([Buffer.from(`${name}:`), big]))).toBe(true);
      client.close();
    } finally {
      await other.stop();
      await six.close();
    }
  });
});
