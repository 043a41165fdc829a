import { PoolAlgorithm, SessionPersistenceType } from "@fiberlb/api";
import { buildTable, FlowHash, xxHash32 } from "@fiberlb/maglev";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";

import { type NamedServer, openClient, startNamedServer, whoServes } from "../data/tcp-peers.ts";
import { declare, untilApplied } from "./declare.ts";
import { tally, untilConnections } from "./tally.ts";
import { startTestNode, type TestNode } from "./test-node.ts";

jest.setTimeout(60_000);

let node: TestNode;
let servers: readonly NamedServer[];

beforeAll(async () => {
  servers = await Promise.all(["a", "b", "c"].map((name) => startNamedServer(name)));
  node = await startTestNode();
});
afterAll(async () => {
  await node?.stop();
  await Promise.all(servers.map((server) => server.close()));
});

/** Backends for the three servers. */
const three = (weights: readonly number[] = [1, 1, 1]) =>
  servers.map(({ port }, index) => ({ port, weight: weights[index]! }));

/** Addresses that clients call from. */
const sources = Array.from({ length: 40 }, (_, index) => `127.0.9.${index + 1}`);

test("round robin: 15 connections over three servers are 5, 5 and 5, whichever worker takes them", async () => {
  const lb = await declare(node.client, { pool: { algorithm: PoolAlgorithm.ROUND_ROBIN }, backends: three() });
  expect(await tally(lb, 15)).toEqual({ a: 5, b: 5, c: 5 });
});

test("weighted round robin 3:2:1 is within one connection after every one of them", async () => {
  const weights = { a: 3, b: 2, c: 1 };
  const lb = await declare(node.client, {
    pool: { algorithm: PoolAlgorithm.WEIGHTED_ROUND_ROBIN },
    backends: three([3, 2, 1]),
  });
  const counts: Record<string, number> = { a: 0, b: 0, c: 0 };
  for (let connections = 1; connections <= 60; connections++) {
    counts[await whoServes(lb.port, lb.host)]! += 1;
    for (const [name, weight] of Object.entries(weights)) {
      expect(Math.abs(counts[name]! - (connections * weight) / 6)).toBeLessThanOrEqual(1);
    }
  }
  expect(counts).toEqual({ a: 30, b: 20, c: 10 });
});

test("IP hash: a client always gets the same server, and many clients get them all", async () => {
  const lb = await declare(node.client, { pool: { algorithm: PoolAlgorithm.IP_HASH }, backends: three() });
  const chosen = new Set<string>();
  for (const source of sources) {
    const counts = await tally(lb, 3, source);
    expect(Object.values(counts)).toEqual([3]);
    chosen.add(Object.keys(counts)[0]!);
  }
  expect([...chosen].toSorted()).toEqual(["a", "b", "c"]);
});

test("Maglev: each connection goes where the table of @fiberlb/maglev says for its addresses and ports", async () => {
  const lb = await declare(node.client, { pool: { algorithm: PoolAlgorithm.MAGLEV }, backends: three([1, 2, 1]) });
  const { pool } = await node.client.pools.getPool({ id: lb.poolId });
  const table = buildTable(
    lb.backendIds.map((name, index) => ({ name, weight: [1, 2, 1][index]! })),
    { size: pool!.maglev!.effectiveTableSize },
  );
  const hash = new FlowHash({ seed: xxHash32(lb.poolId) });
  const chosen = new Set<string>();
  for (const source of [...sources, ...sources]) {
    const { server, socket, ended } = await openClient(lb.port, lb.host, source);
    const backend = table.backendFor(
      hash.fiveTuple({
        sourceAddress: source,
        sourcePort: socket.localPort!,
        destinationAddress: lb.host,
        destinationPort: lb.port,
      }),
    );
    expect(server).toBe(servers[lb.backendIds.indexOf(backend!.name)]!.name);
    chosen.add(server);
    socket.end();
    await ended;
  }
  expect([...chosen].toSorted()).toEqual(["a", "b", "c"]);
});

test("least connections: a new connection goes to the server that holds fewest", async () => {
  const lb = await declare(node.client, { pool: { algorithm: PoolAlgorithm.LEAST_CONNECTIONS }, backends: three() });
  const held = [];
  for (let i = 0; i < 12; i++) held.push(await openClient(lb.port, lb.host));
  expect(Object.groupBy(held, ({ server }) => server)).toMatchObject({
    a: { length: 4 },
    b: { length: 4 },
    c: { length: 4 },
  });
  for (const { socket } of held.filter(({ server }) => server === "b")) socket.end();
  await untilConnections(node.client, lb, 8);
  for (let i = 0; i < 4; i++) {
    const client = await openClient(lb.port, lb.host);
    expect(client.server).toBe("b");
    held.push(client);
  }
  for (const { socket } of held) socket.destroy();
});

test("random: two choices spread connections over all servers, and never pile them up on a busy one", async () => {
  const lb = await declare(node.client, { pool: { algorithm: PoolAlgorithm.RANDOM }, backends: three() });
  const counts = await tally(lb, 90);
  // A fair coin gives 30 ± 4.5 each: 5 is out of reach of chance.
  for (const name of ["a", "b", "c"]) expect(counts[name]).toBeGreaterThan(5);
});

test("source IP persistence keeps a client on its server, whatever the algorithm", async () => {
  const lb = await declare(node.client, {
    pool: { algorithm: PoolAlgorithm.ROUND_ROBIN, sessionPersistence: { type: SessionPersistenceType.SOURCE_IP } },
    backends: three(),
  });
  const hash = new FlowHash({ seed: xxHash32(lb.poolId) });
  const expected = async (backendIds: readonly string[]): Promise<(source: string) => string> => {
    const { pool } = await node.client.pools.getPool({ id: lb.poolId });
    const table = buildTable(
      backendIds.map((name) => ({ name })),
      { size: pool!.maglev!.effectiveTableSize },
    );
    return (source) => servers[lb.backendIds.indexOf(table.backendFor(hash.source(source))!.name)]!.name;
  };
  const before = await expected(lb.backendIds);
  for (const source of sources) expect(await tally(lb, 3, source)).toEqual({ [before(source)]: 3 });

  // With one server gone its clients are spread, and nearly all of the others' stay: as the table says (§5.3).
  await node.client.backends.deleteBackend({ id: lb.backendIds[0]! });
  await untilApplied(node.client, lb.loadBalancerId);
  const after = await expected(lb.backendIds.slice(1));
  for (const source of sources) expect(await whoServes(lb.port, lb.host, source)).toBe(after(source));
  expect(new Set(sources.map(before)).size).toBe(3);
  const moved = sources.filter((source) => before(source) !== "a" && before(source) !== after(source));
  expect(moved.length).toBeLessThan(sources.length / 4);
});
