import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Code } from "@connectrpc/connect";
import { CertificateType, ListenerProtocol, ProvisioningStatus } from "@fiberlb/api";
import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";

import { CERTIFICATE } from "../control/certificates.ts";
import { expectRefusal } from "../control/refusals.ts";
import { until } from "../e2e/until.ts";
import { type ClusterNode, type NodeTraits, TestCluster } from "./test-cluster.ts";

jest.setTimeout(60_000);

let cluster: TestCluster;
let folder: string;
beforeEach(() => {
  cluster = new TestCluster();
  folder = mkdtempSync(join(tmpdir(), "fiberlb-last-applied-"));
});
afterEach(async () => {
  await cluster.stop();
  rmSync(folder, { recursive: true });
});

const start = (traits: NodeTraits = {}): Promise<ClusterNode> => cluster.start("a", { folder, ...traits });

/** A load balancer with TLS, a DNS name, and a health check: all that needs more than its own entities. */
async function createLoadBalancer({ client }: ClusterNode, name: string): Promise<string> {
  const { id } = (await client.loadBalancers.createLoadBalancer({ name })).loadBalancer!;
  const { pool } = await client.pools.createPool({ loadBalancerId: id, name: "app" });
  await client.healthChecks.createHealthCheck({ poolId: pool!.id, type: 1 });
  await client.backends.createBackend({ poolId: pool!.id, address: "db.test", port: 80 });
  const { pem: certificatePem, keyPem: privateKeyPem } = CERTIFICATE;
  const material = { name, type: CertificateType.SERVER, certificatePem, privateKeyPem };
  const { certificate } = await client.certificates.createCertificate(material);
  await client.listeners.createListener({
    loadBalancerId: id,
    port: 443,
    protocol: ListenerProtocol.TLS,
    defaultPoolId: pool!.id,
    certificateIds: [certificate!.id],
  });
  await until(
    "it is active",
    async () => (await client.loadBalancers.getLoadBalancer({ id })).loadBalancer!,
    ({ provisioningStatus }) => provisioningStatus === ProvisioningStatus.ACTIVE,
  );
  return id;
}

const lookup = async () => [{ address: "10.0.0.1", ttlS: 60 }];
const readyz = async ({ management }: ClusterNode, path = "/readyz"): Promise<string> => {
  const response = await fetch(`${management.adminUrl}${path}`);
  return `${response.status} ${(await response.text()).trim()}`;
};

const hasAddress = ({ dataPlane }: ClusterNode) =>
  until(
    "the backend has an address",
    () => dataPlane.backends,
    (found) => found.join() === "10.0.0.1",
  );

describe("a node that is started without its store", () => {
  test("forwards what it applied last, certificates and names included, and says so", async () => {
    const before = await start({ lookup });
    const id = await createLoadBalancer(before, "web");
    await hasAddress(before);
    const unit = before.dataPlane.snapshot.units.get(id);
    await before.stop();

    const again = await start({ withoutStore: true });
    expect(again.dataPlane.snapshot.units.get(id)).toEqual(unit);
    expect(unit?.listeners[0]?.tls?.certificates[0]?.privateKeyPem).toContain("PRIVATE KEY");
    expect(await readyz(again)).toBe("200 ok");
    expect(await readyz(again, "/readyz/api")).toContain("503 Cannot reach the store");
    await expectRefusal(
      again.client.loadBalancers.getLoadBalancer({ id }),
      Code.Unavailable,
      /the store has not been reached since this node started; it forwards what it applied last/,
    );
    expect(again.log).toContainEqual(
      expect.objectContaining({
        level: "warn",
        event: "the store cannot be reached: what was applied last is forwarded, and the API answers UNAVAILABLE",
        loadBalancers: 1,
      }),
    );
  });

  test("follows the store when it comes back, with what happened meanwhile", async () => {
    const before = await start({ lookup });
    const [kept, gone] = [await createLoadBalancer(before, "kept"), await createLoadBalancer(before, "gone")];
    await before.stop();
    const other = await cluster.start("b");
    await other.client.loadBalancers.deleteLoadBalancer({ id: gone, cascade: true });

    const again = await start({ withoutStore: true, lookup });
    expect([...again.dataPlane.snapshot.units.keys()].toSorted()).toEqual([kept, gone].toSorted());
    // It has nothing to say so far: others must not wait for it.
    expect((await other.client.nodes.listNodes({})).nodes.map(({ name }) => name)).toEqual(["b"]);
    const unit = again.dataPlane.snapshot.units.get(kept);
    again.line.restore();
    await until(
      "what was deleted is gone",
      () => [...again.dataPlane.snapshot.units.keys()],
      (ids) => ids.join() === kept,
    );
    // What is as it was is the same object: no connection is touched.
    expect(again.dataPlane.snapshot.units.get(kept)).toBe(unit);
    await until(
      "it is a node again",
      async () => (await other.client.nodes.listNodes({})).nodes.map(({ name }) => name),
      (names) => names.join() === "a,b",
    );
    const { loadBalancer } = await again.client.loadBalancers.getLoadBalancer({ id: kept });
    expect(loadBalancer?.name).toBe("kept");
    await again.stop();
    expect(readdirSync(folder).filter((file) => file.startsWith(gone))).toEqual([]);
  });

  test("is ready, and waits, also when it had nothing to forward", async () => {
    await (await start()).stop();
    const node = await start({ withoutStore: true });
    expect(await readyz(node)).toBe("200 ok");
    node.line.restore();
    await until(
      "its API serves",
      () => node.client.loadBalancers.listLoadBalancers({}).catch(() => undefined),
      (answer) => answer !== undefined,
    );
  });

  test("that was to be out of service stays so", async () => {
    const before = await start();
    await before.client.nodes.drainNode({ name: "a" });
    await until(
      "it has heard",
      () => readyz(before),
      (answer) => answer === "503 node a drains",
    );
    await before.stop();
    const again = await start({ withoutStore: true });
    expect(await readyz(again)).toBe("503 node a drains");
    expect((await (await cluster.start("b")).client.nodes.undrainNode({ name: "a" })).node).toBeUndefined();
    again.line.restore();
    await until(
      "it is in service",
      () => readyz(again),
      (answer) => answer === "200 ok",
    );
  });

  test("goes on forwarding when the store turns out to be of a newer release, and says so once", async () => {
    const before = await start({ lookup });
    const id = await createLoadBalancer(before, "web");
    await before.stop();
    const again = await start({ withoutStore: true });
    const value = Buffer.from(JSON.stringify({ version: 3, readableBy: 2 }));
    await cluster.store.txn({ success: [{ type: "put", key: "/lb/v1/schema", value }] });
    again.line.restore();
    const complaints = () =>
      again.log.filter(({ event }) => event === "the store can be reached and cannot be used; forwarding goes on");
    await until("it has complained", complaints, ({ length }) => length > 0);
    expect(complaints()).toEqual([expect.objectContaining({ reason: expect.stringContaining("schema version 3") })]);
    await expectRefusal(again.client.loadBalancers.getLoadBalancer({ id }), Code.Unavailable, /has not been reached/);
    // Nor is it followed: what it says may mean something else.
    expect(again.dataPlane.snapshot.revision).toBe(0);
    expect(again.dataPlane.snapshot.units.has(id)).toBe(true);
  });

  test("does not start when it never was with it: its configuration may be wrong", async () => {
    await expect(start({ withoutStore: true })).rejects.toThrow("Cannot reach the store");
  });

  test("leaves out what is damaged on its disk, and forwards the rest", async () => {
    const before = await start({ lookup });
    const [good, bad] = [await createLoadBalancer(before, "good"), await createLoadBalancer(before, "bad")];
    await before.stop();
    const file = readdirSync(folder).find((name) => name.startsWith(bad))!;
    writeFileSync(join(folder, file), readFileSync(join(folder, file)).subarray(0, -20));
    const again = await start({ withoutStore: true });
    expect([...again.dataPlane.snapshot.units.keys()]).toEqual([good]);
    expect(again.log).toContainEqual(
      expect.objectContaining({
        level: "error",
        event: "a part of what was applied last cannot be used",
        file: join(folder, file),
        reason: "its content is not what was written",
      }),
    );
  });

  test("that keeps nothing on disk does not start", async () => {
    await expect(cluster.start("a", { withoutStore: true })).rejects.toThrow("Cannot reach the store");
  });
});

describe("a node that loses its store", () => {
  test("goes on forwarding, answers UNAVAILABLE, and catches up", async () => {
    const [a, b] = [await start({ lookup }), await cluster.start("b", { lookup })];
    const id = await createLoadBalancer(a, "web");
    a.line.cut();
    await expectRefusal(a.client.loadBalancers.getLoadBalancer({ id }), Code.Unavailable, /store is not available/);
    await expectRefusal(a.client.nodes.listNodes({}), Code.Unavailable, /store is not available/);
    expect(await readyz(a)).toBe("200 ok");
    await b.client.loadBalancers.createLoadBalancer({ name: "other" });
    expect(a.dataPlane.snapshot.units.size).toBe(1);
    a.line.restore();
    await until(
      "a has caught up",
      () => a.dataPlane.snapshot.units.size,
      (size) => size === 2,
    );
    // Told once each, however long it took.
    const told = (event: string): number => a.log.filter((line) => line.event === event).length;
    expect(told("the store cannot be followed; forwarding goes on as configured last")).toBe(1);
    await until(
      "it says so",
      () => told("the store is followed again"),
      (times) => times === 1,
    );
  });
});

test("no private key is on the disk in clear, and only the owner reads what is there", async () => {
  const node = await start({ lookup });
  await createLoadBalancer(node, "web");
  await node.stop();
  const texts = readdirSync(folder).map((file) => readFileSync(join(folder, file), "utf8"));
  expect(texts.join()).toContain("BEGIN CERTIFICATE");
  expect(texts.join()).not.toContain("PRIVATE KEY");
});
