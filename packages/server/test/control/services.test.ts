import { Code } from "@connectrpc/connect";
import {
  BackendStatus,
  CertificateType,
  type FiberlbClient,
  HealthCheckType,
  ListenerProtocol,
  OperatingStatus,
  PoolAlgorithm,
  ProvisioningStatus,
} from "@fiberlb/api";
import { parseCidr } from "@fiberlb/types";
import type { Cidr } from "@fiberlb/types";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";

import type { NodeSession } from "../../src/repository/node-session.ts";
import { CERTIFICATE } from "./certificates.ts";
import { createBackend, createListener, createLoadBalancer, createPolicy, createPool, must } from "./fixtures.ts";
import { type Harness, startHarness } from "./harness.ts";
import { expectInvalid, expectRefusal } from "./refusals.ts";

function cidr(text: string): Cidr {
  const parsed = parseCidr(text);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

let harness: Harness;
let client: FiberlbClient;
let node: NodeSession;
beforeAll(async () => {
  harness = await startHarness({
    deniedCidrs: [cidr("169.254.0.0/16")],
    traffic: {
      listenerFigures: () => ({
        bytesIn: 2 ** 40,
        bytesOut: 1,
        connectionsActive: 2,
        connectionsTotal: 3,
        rejected: { acl: 4, "no-backend": 5 },
      }),
    },
  });
  node = harness.startNode();
  client = harness.client();
});
afterAll(() => harness.close());

describe("BackendService", () => {
  test("RegisterBackend creates, then renews the same backend and takes over what it names", async () => {
    const pool = await createPool(client, (await createLoadBalancer(client)).id);
    const where = { poolId: pool.id, address: "127.0.0.1", port: 9001 };
    const first = must((await client.backends.registerBackend({ ...where, metadata: { pid: "1" } })).backend);
    expect(first).toMatchObject({ ttlS: 15, weight: 1, metadata: { pid: "1" } });
    await client.backends.updateBackend({ backend: { id: first.id, weight: 7 }, updateMask: { paths: ["weight"] } });
    const again = must((await client.backends.registerBackend({ ...where, ttlS: 20, metadata: { pid: "2" } })).backend);
    expect(again).toMatchObject({ id: first.id, ttlS: 20, weight: 7, metadata: { pid: "2" } });
    const weighted = await client.backends.registerBackend({ ...where, weight: 0 });
    expect(weighted.backend).toMatchObject({ weight: 0, ttlS: 15, status: BackendStatus.DRAINING });
  });

  test("racing registrations of one program make one backend", async () => {
    const pool = await createPool(client, (await createLoadBalancer(client)).id);
    const where = { poolId: pool.id, address: "127.0.0.1", port: 9001 };
    const racing = await Promise.all(Array.from({ length: 8 }, () => client.backends.registerBackend(where)));
    expect(new Set(racing.map(({ backend }) => backend?.id)).size).toBe(1);
  });

  test("DeregisterBackend drains at once; one that nobody registered is NOT_FOUND", async () => {
    const pool = await createPool(client, (await createLoadBalancer(client)).id);
    const where = { poolId: pool.id, address: "127.0.0.1", port: 9001 };
    await expectRefusal(client.backends.deregisterBackend(where), Code.NotFound, /127\.0\.0\.1:9001 does not exist/);
    const { backend } = await client.backends.registerBackend(where);
    await client.backends.deregisterBackend(where);
    const drained = await client.backends.getBackend({ id: must(backend).id });
    expect(drained.backend).toMatchObject({
      status: BackendStatus.DRAINING,
      operatingStatus: OperatingStatus.DRAINING,
    });
    const revived = await client.backends.registerBackend(where);
    expect(revived.backend).toMatchObject({ id: must(backend).id, status: BackendStatus.NO_MONITOR });
  });

  test("a registration ends: ttl_s 0 is refused, all bad fields at once", async () => {
    const bad = { poolId: "x", address: "", port: 0, ttlS: 0 };
    await expectInvalid(client.backends.registerBackend(bad), ["pool_id", "address", "port", "ttl_s"]);
  });

  test("addresses in denied networks are refused, for probes, too", async () => {
    const pool = await createPool(client, (await createLoadBalancer(client)).id);
    await expectInvalid(createBackend(client, pool.id, { address: "169.254.169.254" }), ["address"]);
    await expectInvalid(createBackend(client, pool.id, { monitorAddress: "169.254.169.254" }), ["monitor_address"]);
    const registering = client.backends.registerBackend({ poolId: pool.id, address: "169.254.169.254", port: 80 });
    await expectInvalid(registering, ["address"]);
  });
});

describe("ListenerService", () => {
  test("exchanges as many certificates as a listener may have in one transaction, and refuses more", async () => {
    const { id } = await createLoadBalancer(client);
    const { pem: certificatePem, keyPem: privateKeyPem } = CERTIFICATE;
    const made = Array.from({ length: 64 }, () =>
      client.certificates.createCertificate({ type: CertificateType.SERVER, certificatePem, privateKeyPem }),
    );
    const ids = (await Promise.all(made)).map(({ certificate }) => must(certificate).id);
    const fields = { protocol: ListenerProtocol.TLS, port: 443 };
    await expectInvalid(createListener(client, id, { ...fields, certificateIds: ids.slice(0, 33) }), [
      "certificate_ids",
    ]);
    const listener = await createListener(client, id, { ...fields, certificateIds: ids.slice(0, 32) });
    const { listener: exchanged } = await client.listeners.updateListener({
      listener: { id: listener.id, name: "renamed", certificateIds: ids.slice(32) },
      updateMask: { paths: ["certificate_ids", "name"] },
    });
    expect(exchanged?.certificateIds).toEqual(ids.slice(32));
    await client.certificates.deleteCertificate({ id: ids[0] as string });
    const used = client.certificates.deleteCertificate({ id: ids[63] as string });
    await expectRefusal(used, Code.FailedPrecondition, /used by listener renamed/);
  });
});

describe("L7PolicyService", () => {
  test("inserting shifts, moving and deleting close up, without new revisions of the others", async () => {
    const { id } = await createLoadBalancer(client);
    const listener = await createListener(client, id, { protocol: ListenerProtocol.HTTP, port: 80 });
    const make = (name: string, position: number) => createPolicy(client, listener.id, { name, position });
    const [a, b] = [await make("a", 0), await make("b", 0)];
    expect([a.position, b.position]).toEqual([1, 2]);
    const first = await make("first", 1);
    const far = await make("far", 99);
    expect([first.position, far.position]).toEqual([1, 4]);
    const order = async () => {
      const { l7Policies } = await client.l7Policies.listL7Policies({ listenerId: listener.id });
      return l7Policies
        .toSorted((x, y) => x.position - y.position)
        .map(({ name, position, revision }) => `${position} ${name} r${revision}`);
    };
    expect(await order()).toEqual(["1 first r1", "2 a r1", "3 b r1", "4 far r1"]);
    const moved = await client.l7Policies.updateL7Policy({
      l7Policy: { id: far.id, position: 2 },
      updateMask: { paths: ["position"] },
    });
    expect(moved.l7Policy).toMatchObject({ position: 2, revision: 2n });
    expect(await order()).toEqual(["1 first r1", "2 far r2", "3 a r1", "4 b r1"]);
    await client.l7Policies.deleteL7Policy({ id: first.id });
    expect(await order()).toEqual(["1 far r2", "2 a r1", "3 b r1"]);
    expect((await client.l7Policies.getL7Policy({ id: b.id })).l7Policy).toMatchObject({ position: 3 });
  });
});

describe("PoolService", () => {
  test("maglev.effective_table_size follows the number of backends upwards and never shrinks", async () => {
    const { id } = await createLoadBalancer(client);
    const pool = await createPool(client, id, { algorithm: PoolAlgorithm.MAGLEV });
    const size = async () => (await client.pools.getPool({ id: pool.id })).pool?.maglev?.effectiveTableSize;
    expect(pool.maglev?.effectiveTableSize).toBe(1021);
    const backends = [];
    for (let port = 1; port <= 10; port++) backends.push(await createBackend(client, pool.id, { port }));
    expect(await size()).toBe(1021);
    backends.push(await createBackend(client, pool.id, { port: 11 }));
    expect(await size()).toBe(16_381);
    expect((await client.pools.getPool({ id: pool.id })).pool?.revision).toBe(1n);
    for (const backend of backends) await client.backends.deleteBackend({ id: backend.id });
    expect(await size()).toBe(16_381);
    const paths = ["maglev.table_size"];
    await client.pools.updatePool({ pool: { id: pool.id, maglev: { tableSize: 65_537 } }, updateMask: { paths } });
    expect(await size()).toBe(65_537);
  });

  test("racing backends over a limit grow the table", async () => {
    const { id } = await createLoadBalancer(client);
    const pool = await createPool(client, id, { algorithm: PoolAlgorithm.MAGLEV });
    await Promise.all(Array.from({ length: 16 }, (_, index) => createBackend(client, pool.id, { port: 1 + index })));
    expect((await client.pools.getPool({ id: pool.id })).pool?.maglev?.effectiveTableSize).toBe(16_381);
  });

  test("a pool without a table has size 0 until it gets one", async () => {
    const { id } = await createLoadBalancer(client);
    const pool = await createPool(client, id);
    expect(pool.maglev?.effectiveTableSize).toBe(0);
    const updateMask = { paths: ["algorithm"] };
    const changed = await client.pools.updatePool({
      pool: { id: pool.id, algorithm: PoolAlgorithm.MAGLEV },
      updateMask,
    });
    expect(changed.pool?.maglev?.effectiveTableSize).toBe(1021);
  });
});

describe("status", () => {
  test("a Create with one node answers ACTIVE", async () => {
    const loadBalancer = await createLoadBalancer(client);
    const pool = await createPool(client, loadBalancer.id);
    const backend = await createBackend(client, pool.id);
    const active = { provisioningStatus: ProvisioningStatus.ACTIVE };
    expect([loadBalancer, pool, backend]).toMatchObject([active, active, active]);
  });

  test("verdicts of the probes reach backend, pool, and tree", async () => {
    const { id } = await createLoadBalancer(client, { name: "probed" });
    const pool = await createPool(client, id, { name: "app" });
    const [up, down] = [
      await createBackend(client, pool.id, { port: 1 }),
      await createBackend(client, pool.id, { port: 2 }),
    ];
    await client.healthChecks.createHealthCheck({ poolId: pool.id, type: HealthCheckType.TCP });
    await createListener(client, id, { name: "tcp", port: 80, defaultPoolId: pool.id });
    const since = new Date(0).toISOString();
    const common = { loadBalancerId: id, since };
    node.recordHealth([
      { ...common, backendId: up.id, health: "ONLINE", reason: "" },
      { ...common, backendId: down.id, health: "OFFLINE", reason: "connection refused" },
    ]);
    for (;;) {
      const { backend } = await client.backends.getBackend({ id: down.id });
      if (backend?.status === BackendStatus.OFFLINE) break;
    }
    const { loadBalancer } = await client.loadBalancers.getLoadBalancerStatus({ id });
    expect(loadBalancer).toMatchObject({
      operatingStatus: OperatingStatus.DEGRADED,
      listeners: [{ name: "tcp", operatingStatus: OperatingStatus.DEGRADED, pools: [{ name: "app" }] }],
      pools: [
        {
          backends: [
            { status: BackendStatus.ONLINE },
            { status: BackendStatus.OFFLINE, statusReason: "connection refused" },
          ],
        },
      ],
    });
    expect((await client.pools.getPool({ id: pool.id })).pool?.operatingStatus).toBe(OperatingStatus.DEGRADED);
  });

  test("stats are the sums over the listeners", async () => {
    const { id } = await createLoadBalancer(client);
    await createListener(client, id, { port: 1 });
    await createListener(client, id, { port: 2 });
    const { stats } = await client.loadBalancers.getLoadBalancerStats({ id });
    expect(stats).toMatchObject({
      bytesIn: 2n ** 41n,
      bytesOut: 2n,
      activeConnections: 4n,
      totalConnections: 6n,
      requestErrors: 18n,
    });
  });
});

describe("DiscoveryService", () => {
  test("Resolve tells the VIP, ports and status by name", async () => {
    const { id, vipAddress } = await createLoadBalancer(client, { name: "shop" });
    const pool = await createPool(client, id);
    await createBackend(client, pool.id);
    await createListener(client, id, { name: "tcp", port: 5432, defaultPoolId: pool.id });
    const { endpoint } = await client.discovery.resolve({ name: "shop" });
    expect(endpoint).toMatchObject({
      loadBalancerId: id,
      vipAddress,
      provisioningStatus: ProvisioningStatus.ACTIVE,
      operatingStatus: OperatingStatus.ONLINE,
      ports: [{ name: "tcp", protocol: ListenerProtocol.TCP, port: 5432, operatingStatus: OperatingStatus.ONLINE }],
    });
    await expectInvalid(client.discovery.resolve({}), ["name"]);
  });

  test("Watch answers at once, then on every change, also when the name comes and goes", async () => {
    const name = "watched";
    const abort = new AbortController();
    const answers = client.discovery.watch({ name }, { signal: abort.signal })[Symbol.asyncIterator]();
    const next = async () =>
      ((await answers.next()).value as { endpoint?: { vipAddress: string; ports: object[] } }).endpoint;
    expect(await next()).toBeUndefined();
    const first = await createLoadBalancer(client, { name });
    expect(await next()).toMatchObject({ vipAddress: first.vipAddress, ports: [] });
    await createListener(client, first.id, { port: 80 });
    for (let endpoint = await next(); endpoint?.ports.length !== 1;) endpoint = await next();
    await client.loadBalancers.deleteLoadBalancer({ id: first.id, cascade: true });
    for (let endpoint = await next(); endpoint !== undefined;) endpoint = await next();
    const second = await createLoadBalancer(client, { name });
    for (let endpoint = await next(); endpoint?.vipAddress !== second.vipAddress;) endpoint = await next();
    abort.abort();
    await expect(answers.next()).rejects.toThrow(/canceled|aborted/);
  });
});

describe("NodeService", () => {
  test("lists and gets live nodes", async () => {
    const { nodes } = await client.nodes.listNodes({});
    expect(nodes).toMatchObject([{ name: "lb-1", state: 1 }]);
    expect((await client.nodes.getNode({ name: "lb-1" })).node?.appliedRevision).toBeGreaterThan(0n);
    await expectRefusal(client.nodes.getNode({ name: "lb-2" }), Code.NotFound, /node lb-2 does not exist/);
  });

  test("drains nodes that live, and takes the order back from any", async () => {
    await expectRefusal(client.nodes.drainNode({ name: "lb-2" }), Code.NotFound, /node lb-2 does not exist/);
    const order = async () => (await harness.store.get("/lb/v1/drain/lb-1")).kv;
    await client.nodes.drainNode({ name: "lb-1" });
    const first = await order();
    expect(first).toBeDefined();
    await client.nodes.drainNode({ name: "lb-1" });
    expect((await order())?.modRevision).toBe(first?.modRevision);
    expect((await client.nodes.undrainNode({ name: "lb-1" })).node?.name).toBe("lb-1");
    expect(await order()).toBeUndefined();
    await client.nodes.undrainNode({ name: "lb-1" });
    await expectRefusal(client.nodes.undrainNode({ name: "lb-2" }), Code.NotFound, /node lb-2 does not exist/);
  });
});

describe("VipPoolService", () => {
  test("creates, fills, changes and deletes pools; what is in use stays", async () => {
    const { vipPool } = await client.vipPools.createVipPool({
      name: "edge",
      cidrs: ["203.0.113.0/30", "203.0.113.64/30"],
      autoAssign: false,
    });
    expect(vipPool).toMatchObject({ addressesTotal: 4n, addressesUsed: 0n, autoAssign: false, revision: 1n });
    await expectRefusal(
      client.vipPools.createVipPool({ name: "edge", cidrs: ["10.0.0.0/8"] }),
      Code.AlreadyExists,
      /"edge"/,
    );
    const { id, vipAddress } = await createLoadBalancer(client, { vipPool: "edge" });
    expect((await client.vipPools.getVipPool({ id: "edge" })).vipPool).toMatchObject({ addressesUsed: 1n });
    const narrow = (cidrs: string[]) =>
      client.vipPools.updateVipPool({ vipPool: { id: must(vipPool).id, cidrs }, updateMask: { paths: ["cidrs"] } });
    await expectRefusal(narrow(["203.0.113.64/30"]), Code.FailedPrecondition, new RegExp(`${vipAddress} is in use`));
    expect((await narrow(["203.0.113.0/30"])).vipPool).toMatchObject({ addressesTotal: 2n, revision: 2n });
    await expectRefusal(client.vipPools.deleteVipPool({ id: "edge" }), Code.FailedPrecondition, /is in use/);
    await client.loadBalancers.deleteLoadBalancer({ id });
    await client.vipPools.deleteVipPool({ id: "edge" });
    const { vipPools } = await client.vipPools.listVipPools({ pageSize: 1 });
    expect(vipPools.map(({ name }) => name)).toEqual(["default"]);
  });
});
