import { NodeState, OperatingStatus, ProvisioningStatus } from "@fiberlb/api";
import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";

import { until } from "../e2e/until.ts";
import { type ClusterNode, TestCluster } from "./test-cluster.ts";

jest.setTimeout(60_000);

let cluster: TestCluster;
beforeEach(() => {
  cluster = new TestCluster();
});
afterEach(() => cluster.stop());

const nodesOf = async ({ client }: ClusterNode) => (await client.nodes.listNodes({})).nodes;

const untilNodes = (seenBy: ClusterNode, names: readonly string[]) =>
  until(
    `${seenBy.name} sees ${names.join()}`,
    () => nodesOf(seenBy),
    (nodes) => nodes.map(({ name }) => name).join() === names.join(),
  );

async function createLoadBalancer({ client }: ClusterNode, ...addresses: string[]): Promise<string> {
  const { id } = (await client.loadBalancers.createLoadBalancer({ name: "web" })).loadBalancer!;
  const { pool } = await client.pools.createPool({ loadBalancerId: id, name: "app" });
  for (const address of addresses) await client.backends.createBackend({ poolId: pool!.id, address, port: 80 });
  return id;
}

const statusOf = async ({ client }: ClusterNode, id: string) =>
  (await client.loadBalancers.getLoadBalancer({ id })).loadBalancer!;

const untilStatus = (seenBy: ClusterNode, id: string, status: ProvisioningStatus) =>
  until(
    `${id} has provisioning status ${status} as ${seenBy.name} sees it`,
    () => statusOf(seenBy, id),
    ({ provisioningStatus }) => provisioningStatus === status,
  );

describe("the nodes of a cluster", () => {
  test("know each other, with what each is and has applied", async () => {
    const [a, b] = [await cluster.start("a"), await cluster.start("b")];
    const id = await createLoadBalancer(a, "10.0.0.1");
    const { revision } = await until(
      "both have applied it",
      async () => ({
        nodes: await nodesOf(b),
        revision: BigInt((await cluster.store.get(`/lb/v1/unit/${id}`)).revision),
      }),
      ({ nodes }) => nodes.length === 2 && nodes.every(({ appliedRevision }) => appliedRevision > 1n),
    );
    expect(await nodesOf(a)).toEqual(await nodesOf(b));
    for (const node of await nodesOf(b)) {
      expect(node).toMatchObject({ version: "0.0.0-test", state: NodeState.READY, capabilities: ["userspace"] });
      expect(node.addresses.filter((address) => /^127\.|^::1$|^fe80/.test(address))).toEqual([]);
      expect(node.appliedRevision).toBeLessThanOrEqual(revision);
    }
  });

  test("all apply what was written by one", async () => {
    const nodes = [await cluster.start("a"), await cluster.start("b"), await cluster.start("c")];
    const id = await createLoadBalancer(nodes[0]!, "10.0.0.1", "10.0.0.2");
    await untilStatus(nodes[2]!, id, ProvisioningStatus.ACTIVE);
    for (const { dataPlane } of nodes) expect(dataPlane.backends).toEqual(["10.0.0.1", "10.0.0.2"]);
    const units = nodes.map(({ dataPlane }) => dataPlane.snapshot.units.get(id));
    expect(units[1]).toEqual(units[0]);
    expect(units[2]).toEqual(units[0]);
  });

  test("all must have applied a change: one that hangs keeps it PENDING, and is named", async () => {
    const [a, b] = [await cluster.start("a"), await cluster.start("b")];
    const id = await createLoadBalancer(a);
    await untilStatus(a, id, ProvisioningStatus.ACTIVE);
    const { promise, resolve } = Promise.withResolvers<void>();
    b.dataPlane.hold = promise;
    await a.client.loadBalancers.updateLoadBalancer({
      loadBalancer: { id, description: "changed" },
      updateMask: { paths: ["description"] },
    });
    await untilStatus(a, id, ProvisioningStatus.PENDING_UPDATE);
    await until(
      "a has applied it",
      () => statusOf(a, id),
      ({ statusReason }) => statusReason === "waiting for node b",
    );
    resolve();
    await untilStatus(a, id, ProvisioningStatus.ACTIVE);
  });

  test("a problem of one is ERROR for the change, DEGRADED for the service, and names the node", async () => {
    const [a, b] = [await cluster.start("a"), await cluster.start("b")];
    const id = await createLoadBalancer(a, "10.0.0.1");
    const { pools } = await a.client.pools.listPools({ loadBalancerId: id });
    b.dataPlane.problems = [{ loadBalancerId: id, reason: "cannot add VIP" }];
    await a.client.listeners.createListener({ loadBalancerId: id, port: 80, protocol: 1, defaultPoolId: pools[0]!.id });
    const status = await untilStatus(b, id, ProvisioningStatus.ERROR);
    expect(status.statusReason).toBe("node b: cannot add VIP");
    expect(status.operatingStatus).toBe(OperatingStatus.DEGRADED);
    await until(
      "a lists the problem, too",
      () => nodesOf(a),
      ([, node]) => node?.problems[0]?.reason === "cannot add VIP",
    );
    await b.stop();
    await untilStatus(a, id, ProvisioningStatus.ACTIVE);
  });
});

describe("a node that is gone", () => {
  test("counts no more at once when it was stopped", async () => {
    const [a, b] = [await cluster.start("a"), await cluster.start("b")];
    await untilNodes(a, ["a", "b"]);
    await b.stop();
    await untilNodes(a, ["a"]);
  });

  test("counts no more when its lease has ended: what it had not applied is waited for no longer", async () => {
    const [a, b] = [await cluster.start("a"), await cluster.start("b")];
    const id = await createLoadBalancer(a);
    await untilStatus(a, id, ProvisioningStatus.ACTIVE);
    const cutMs = Date.now();
    b.line.cut();
    await a.client.pools.createPool({ loadBalancerId: id, name: "other" });
    expect((await statusOf(a, id)).provisioningStatus).toBe(ProvisioningStatus.PENDING_UPDATE);
    await untilStatus(a, id, ProvisioningStatus.ACTIVE);
    const goneMs = Date.now() - cutMs;
    process.stdout.write(`a node that died counted for another ${goneMs} ms\n`);
    // Its lease of 10 s, and the time to ask.
    expect(goneMs).toBeLessThanOrEqual(11_000);
    expect((await nodesOf(a)).map(({ name }) => name)).toEqual(["a"]);
    b.line.restore();
    await untilNodes(a, ["a", "b"]);
    await untilStatus(b, id, ProvisioningStatus.ACTIVE);
    expect(b.dataPlane.snapshot.units.get(id)?.pools).toHaveLength(2);
  });
});

describe("a second node of the same name", () => {
  test("is refused while the first lives", async () => {
    await cluster.start("a");
    await expect(cluster.start("a", { installation: "elsewhere" })).rejects.toThrow(
      /Cannot be node a: host host-of-installation of a runs a node of that name/,
    );
  });

  test("is the first one again, at once, when it is its restart after a crash", async () => {
    const crashed = await cluster.start("a");
    crashed.line.cut();
    const again = await cluster.start("a");
    await untilNodes(again, ["a"]);
  });
});

describe("drain", () => {
  const readyz = async ({ management }: ClusterNode): Promise<string> => {
    const response = await fetch(`${management.adminUrl}/readyz`);
    return `${response.status} ${(await response.text()).trim()}`;
  };
  const untilState = (seenBy: ClusterNode, name: string, state: NodeState) =>
    until(
      `${name} is in state ${state} as ${seenBy.name} sees it`,
      async () => (await seenBy.client.nodes.getNode({ name })).node!,
      (node) => node.state === state,
    );

  test("an order by any node reaches the one it is for; it tells what is left, and when nothing is", async () => {
    const [a, b] = [await cluster.start("a"), await cluster.start("b")];
    const id = await createLoadBalancer(a);
    await a.client.listeners.createListener({ loadBalancerId: id, port: 80, protocol: 1 });
    await untilStatus(a, id, ProvisioningStatus.ACTIVE);
    b.dataPlane.connectionsActive = 3;
    await a.client.nodes.drainNode({ name: "b" });
    expect((await untilState(a, "b", NodeState.DRAINING)).drain?.connectionsActive).toBe(3n);
    expect(await readyz(b)).toBe("503 node b drains");
    expect(await readyz(a)).toBe("200 ok");
    b.dataPlane.connectionsActive = 0;
    await untilState(a, "b", NodeState.DRAINED);
    await b.client.nodes.undrainNode({ name: "b" });
    expect((await untilState(a, "b", NodeState.READY)).drain).toBeUndefined();
    expect(await readyz(b)).toBe("200 ok");
  });

  test("a node that was drained stays so after a restart", async () => {
    const [a, b] = [await cluster.start("a"), await cluster.start("b")];
    await a.client.nodes.drainNode({ name: "b" });
    await b.stop();
    const again = await cluster.start("b");
    await untilState(a, "b", NodeState.DRAINED);
    expect(await readyz(again)).toBe("503 node b drains");
  });
});

test("a DNS name is the same address on every node, whatever their name servers say", async () => {
  const says = (address: string) => async () => [{ address, ttlS: 60 }];
  const a = await cluster.start("a", { lookup: says("10.0.0.1") });
  const b = await cluster.start("b", { lookup: says("10.0.0.2") });
  const id = await createLoadBalancer(a, "db.test");
  await until(
    "both have an address",
    () => [a, b].flatMap(({ dataPlane }) => dataPlane.backends),
    (found) => found.length === 2 && !found.includes("none"),
  );
  expect([a.dataPlane.backends, b.dataPlane.backends]).toEqual([["10.0.0.1"], ["10.0.0.1"]]);
  await a.stop();
  // The next one elected asks its own, and all go by that.
  await until(
    "b asks for itself",
    () => b.dataPlane.backends,
    (found) => found.join() === "10.0.0.2",
  );
  expect(b.dataPlane.snapshot.units.has(id)).toBe(true);
});
