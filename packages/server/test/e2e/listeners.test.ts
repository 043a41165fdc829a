import { createHash } from "node:crypto";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { networkInterfaces } from "node:os";

import { ListenerProtocol, ProvisioningStatus } from "@fiberlb/api";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";

import {
  listen,
  type NamedServer,
  openClient,
  startNamedServer,
  startNamedServerAt,
  whoServes,
} from "../data/tcp-peers.ts";
import { declare, untilApplied } from "./declare.ts";
import { tally, untilConnections } from "./tally.ts";
import { startTestNode, type TestNode } from "./test-node.ts";
import { until } from "./until.ts";

jest.setTimeout(60_000);

let node: TestNode;
let servers: readonly NamedServer[];

beforeAll(async () => {
  servers = await Promise.all(["a", "b"].map((name) => startNamedServer(name)));
  node = await startTestNode();
});
afterAll(async () => {
  await node?.stop();
  await Promise.all(servers.map((server) => server.close()));
});

const two = () => servers.map(({ port }) => ({ port }));

test("connection_limit holds over all workers; what ends makes room", async () => {
  const lb = await declare(node.client, { listener: { connectionLimit: 5 }, backends: two() });
  const held = [];
  for (let i = 0; i < 5; i++) held.push(await openClient(lb.port, lb.host));
  for (let i = 0; i < 5; i++) await expect(whoServes(lb.port, lb.host)).rejects.toMatchObject({ code: "ECONNRESET" });
  held[0]!.socket.end();
  await untilConnections(node.client, lb, 4);
  await expect(whoServes(lb.port, lb.host)).resolves.toMatch(/^[ab]$/);
  for (const { socket } of held) socket.destroy();
});

test("allowed_cidrs: only clients from there are served, and a change counts at once", async () => {
  const lb = await declare(node.client, { listener: { allowedCidrs: ["127.0.8.0/24"] }, backends: two() });
  expect(Object.keys(await tally(lb, 4, "127.0.8.7")).toSorted()).toEqual(["a", "b"]);
  await expect(whoServes(lb.port, lb.host, "127.0.7.7")).rejects.toMatchObject({ code: "ECONNRESET" });

  const { revision } = (await node.client.listeners.getListener({ id: lb.listenerId })).listener!;
  await node.client.listeners.updateListener({
    listener: { id: lb.listenerId, revision, allowedCidrs: ["127.0.7.0/24"] },
    updateMask: { paths: ["allowed_cidrs"] },
  });
  await untilApplied(node.client, lb.loadBalancerId);
  await expect(whoServes(lb.port, lb.host, "127.0.7.7")).resolves.toMatch(/^[ab]$/);
  await expect(whoServes(lb.port, lb.host, "127.0.8.7")).rejects.toMatchObject({ code: "ECONNRESET" });
});

/** Everything that comes until the other side ends; node:stream/consumers gives up when our own side has ended. */
function readAll(socket: Socket): Promise<string> {
  let all = "";
  socket.setEncoding("utf8").on("data", (part: string) => (all += part));
  return new Promise((resolve, reject) => socket.once("end", () => resolve(all)).once("error", reject));
}

/** A server on a free port that lets either side end alone. */
async function serveHalfOpen(onConnection: (socket: Socket) => void): Promise<{ port: number; close: () => void }> {
  const server = createServer({ allowHalfOpen: true }, onConnection);
  await listen(server, 0);
  return { port: (server.address() as AddressInfo).port, close: () => server.close() };
}

test("half-close: a server that answers at the end of the request is heard to the last byte", async () => {
  const digest = (text: string) => createHash("sha256").update(text).digest("hex");
  const longTail = "y".repeat(1_000_000);
  const server = await serveHalfOpen((socket) => {
    void readAll(socket).then((question) => socket.end(digest(question) + longTail));
  });
  const lb = await declare(node.client, { backends: [{ port: server.port }] });
  const socket = connect({ port: lb.port, host: lb.host, allowHalfOpen: true });
  const question = "0123456789".repeat(200_000);
  socket.end(question);
  const answer = await readAll(socket);
  expect(answer.slice(0, 64)).toBe(digest(question));
  expect(answer.slice(64) === longTail).toBe(true);
  server.close();
});

test("half-close: a server that ends first still hears the client", async () => {
  const heard = Promise.withResolvers<string>();
  const server = await serveHalfOpen((socket) => {
    socket.end("bye");
    readAll(socket).then(heard.resolve, heard.reject);
  });
  const lb = await declare(node.client, { backends: [{ port: server.port }] });
  const socket = connect({ port: lb.port, host: lb.host, allowHalfOpen: true });
  expect(await readAll(socket)).toBe("bye");
  socket.end("I go on");
  expect(await heard.promise).toBe("I go on");
  server.close();
});

test("a port that somebody else owns is a problem with its reason, and serves once it is free", async () => {
  const lb = await declare(node.client, { backends: two() });
  const squatter = createServer();
  await listen(squatter, 0, lb.host);
  const { port } = squatter.address() as AddressInfo;
  const id = (
    await node.client.listeners.createListener({
      loadBalancerId: lb.loadBalancerId,
      protocol: ListenerProtocol.TCP,
      port,
      defaultPoolId: lb.poolId,
    })
  ).listener!.id;
  const broken = await until(
    "the listener is in ERROR",
    async () => (await node.client.listeners.getListener({ id })).listener!,
    ({ provisioningStatus }) => provisioningStatus === ProvisioningStatus.ERROR,
  );
  expect(broken.statusReason).toContain(`${lb.host}:${port} is in use`);
  // Its sibling is not concerned.
  expect(await tally(lb, 4)).toEqual({ a: 2, b: 2 });

  squatter.close();
  await untilApplied(node.client, lb.loadBalancerId);
  expect(await tally({ host: lb.host, port }, 4)).toEqual({ a: 2, b: 2 });
});

test("statistics: connections and bytes of both directions, exactly", async () => {
  const lb = await declare(node.client, { backends: two() });
  const client = await openClient(lb.port, lb.host);
  await client.echo("x".repeat(100_000));
  client.socket.end();
  await client.ended;
  await untilConnections(node.client, lb, 0);
  const { stats } = await node.client.loadBalancers.getLoadBalancerStats({ id: lb.loadBalancerId });
  expect(stats).toMatchObject({ bytesIn: 100_000n, bytesOut: 100_002n, totalConnections: 1n, requestErrors: 0n });
});

const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === "::1"));
const why = hasIpv6 ? "" : "this host has no ::1";
(why ? describe.skip : describe)(`IPv6${why ? ` (skipped: ${why})` : ""}`, () => {
  test("a VIP and a backend of IPv6", async () => {
    const six = await startNamedServerAt({ host: "::1" }, "six");
    const other = await startTestNode({
      "dataPlane.bind": "existing",
      vipPools: [{ name: "six", cidrs: ["::1/128"] }],
    });
    try {
      const lb = await declare(other.client, {
        vipAddress: "::1",
        backends: [{ address: "::1", port: six.port }, { port: servers[0]!.port }],
      });
      expect(lb.host).toBe("::1");
      expect(await tally(lb, 6)).toEqual({ six: 3, a: 3 });
    } finally {
      await other.stop();
      await six.close();
    }
  });
});
