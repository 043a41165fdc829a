import { PoolAlgorithm } from "@fiberlb/api";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";

import { freePort, type NamedServer, openClient, startNamedServer, whoServes } from "../data/tcp-peers.ts";
import { type Declared, declare, untilApplied } from "./declare.ts";
import { tally } from "./tally.ts";
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

const portOf = (name: string) => servers.find((server) => server.name === name)!.port;

/** Serves with one backend. */
const declareWith = (name: string) => declare(node.client, { backends: [{ port: portOf(name) }] });

async function setPool({ listenerId, loadBalancerId }: Declared, defaultPoolId: string): Promise<void> {
  const { revision } = (await node.client.listeners.getListener({ id: listenerId })).listener!;
  await node.client.listeners.updateListener({
    listener: { id: listenerId, revision, defaultPoolId },
    updateMask: { paths: ["default_pool_id"] },
  });
  await untilApplied(node.client, loadBalancerId);
}

test("a change is in force for the first connection after the load balancer is ACTIVE again", async () => {
  const lb = await declareWith("a");
  const { pool } = await node.client.pools.createPool({ loadBalancerId: lb.loadBalancerId });
  await node.client.backends.createBackend({ poolId: pool!.id, address: "127.0.0.1", port: portOf("b") });
  for (const [poolId, name] of [
    [pool!.id, "b"],
    [lb.poolId, "a"],
    [pool!.id, "b"],
  ] as const) {
    await setPool(lb, poolId);
    expect(await tally(lb, 3)).toEqual({ [name]: 3 });
  }
});

test("many changes at once end in the last one's state", async () => {
  const lb = await declare(node.client, {
    pool: { algorithm: PoolAlgorithm.WEIGHTED_ROUND_ROBIN },
    backends: servers.map(({ port }) => ({ port })),
  });
  await Promise.all(
    lb.backendIds.map(async (id, index) => {
      for (const weight of [7, 0, 3, 1, index === 2 ? 1 : 0]) {
        await node.client.backends.updateBackend({ backend: { id, weight }, updateMask: { paths: ["weight"] } });
      }
    }),
  );
  await untilApplied(node.client, lb.loadBalancerId);
  expect(await tally(lb, 5)).toEqual({ c: 5 });
});

test("connections live through every change of their load balancer that leaves their backend in", async () => {
  const lb = await declareWith("a");
  const held = await openClient(lb.port, lb.host);
  const change = async (what: () => Promise<unknown>) => {
    await what();
    await untilApplied(node.client, lb.loadBalancerId);
    expect(await held.echo("still here")).toBe("still here");
  };
  let added = "";
  await change(async () => {
    const request = { poolId: lb.poolId, address: "127.0.0.1", port: portOf("b") };
    added = (await node.client.backends.createBackend(request)).backend!.id;
  });
  await change(() => node.client.backends.deleteBackend({ id: added }));
  await change(() =>
    node.client.pools.updatePool({
      pool: { id: lb.poolId, algorithm: PoolAlgorithm.MAGLEV },
      updateMask: { paths: ["algorithm"] },
    }),
  );
  await change(() =>
    node.client.listeners.updateListener({
      listener: { id: lb.listenerId, connectionLimit: 5, allowedCidrs: ["127.0.0.0/8"] },
      updateMask: { paths: ["connection_limit", "allowed_cidrs"] },
    }),
  );
  held.socket.destroy();
});

test("whole load balancers come and go beside a connection that does not notice", async () => {
  const lb = await declareWith("a");
  const held = await openClient(lb.port, lb.host);
  for (let i = 0; i < 10; i++) {
    const other = await declareWith("b");
    expect(await whoServes(other.port, other.host)).toBe("b");
    await node.client.loadBalancers.deleteLoadBalancer({ id: other.loadBalancerId, cascade: true });
    expect(await held.echo(`${i}`)).toBe(`${i}`);
  }
  held.socket.destroy();
});

test("a deleted listener refuses at once; what runs on it may finish", async () => {
  const lb = await declareWith("a");
  const held = await openClient(lb.port, lb.host);
  await node.client.listeners.deleteListener({ id: lb.listenerId });
  await untilApplied(node.client, lb.loadBalancerId);
  await expect(whoServes(lb.port, lb.host)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  expect(await held.echo("still here")).toBe("still here");
  held.socket.destroy();
});

test("a load balancer that is administratively down refuses, and serves again when it is up", async () => {
  const lb = await declareWith("a");
  const set = async (adminStateUp: boolean) => {
    await node.client.loadBalancers.updateLoadBalancer({
      loadBalancer: { id: lb.loadBalancerId, adminStateUp },
      updateMask: { paths: ["admin_state_up"] },
    });
    await untilApplied(node.client, lb.loadBalancerId);
  };
  await set(false);
  await expect(whoServes(lb.port, lb.host)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  await set(true);
  expect(await whoServes(lb.port, lb.host)).toBe("a");
});

test("a freed address and port serve their next owner", async () => {
  const first = await declareWith("a");
  await node.client.loadBalancers.deleteLoadBalancer({ id: first.loadBalancerId, cascade: true });
  const second = await declare(node.client, {
    vipAddress: first.host,
    listener: { port: first.port },
    backends: [{ port: portOf("b") }],
  });
  expect(await whoServes(first.port, second.host)).toBe("b");
});

test("a listener without a pool resets; with one it serves", async () => {
  const lb = await declareWith("a");
  const port = await freePort(lb.host);
  const { listener } = await node.client.listeners.createListener({
    loadBalancerId: lb.loadBalancerId,
    protocol: 1,
    port,
  });
  await untilApplied(node.client, lb.loadBalancerId);
  await expect(whoServes(port, lb.host)).rejects.toMatchObject({ code: "ECONNRESET" });
  await setPool({ ...lb, listenerId: listener!.id }, lb.poolId);
  expect(await whoServes(port, lb.host)).toBe("a");
});

test("a node that stops lets connections finish, and takes no new ones meanwhile", async () => {
  const other = await startTestNode({ "shutdown.drainTimeoutMs": 30_000 });
  const lb = await declare(other.client, { backends: [{ port: portOf("a") }] });
  const held = await openClient(lb.port, lb.host);
  let isStopped = false;
  const stopped = other.stop().then(() => (isStopped = true));
  const refused = async (): Promise<void> => {
    for (;;) {
      try {
        await whoServes(lb.port, lb.host);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ECONNREFUSED") return;
      }
    }
  };
  await refused();
  expect(await held.echo("still here")).toBe("still here");
  expect(isStopped).toBe(false);
  held.socket.end();
  expect(await held.ended).toBe("closed");
  await stopped;
});

test("a node that stops resets what outlives the drain time", async () => {
  const other = await startTestNode({ "shutdown.drainTimeoutMs": 0 });
  const lb = await declare(other.client, { backends: [{ port: portOf("a") }] });
  const held = await openClient(lb.port, lb.host);
  await other.stop();
  expect(await held.ended).toBe("reset");
});
