import type { Node } from "@fiberlb/types";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";

import type { HealthVerdict } from "../../src/repository/node-records.ts";
import type { NodeSession } from "../../src/repository/node-session.ts";
import { eventually, keysOf, type RepositoryHarness, startRepository } from "./harness.ts";

let harness: RepositoryHarness;
let session: NodeSession;
beforeEach(async () => {
  harness = await startRepository();
  session = harness.repository.openNodeSession("lb-1");
});
afterEach(async () => {
  await session.close();
  await harness.stop();
});

const node = (appliedRevision: number, name = "lb-1"): Node => ({
  name,
  state: "READY",
  addresses: [],
  version: "1.0.0",
  appliedRevision,
  problems: [],
  startedAt: "2026-01-01T00:00:00.000Z",
  capabilities: [],
});

const verdict = (backendId: string, health: HealthVerdict["health"] = "ONLINE"): HealthVerdict => ({
  loadBalancerId: "lb",
  backendId,
  health,
  reason: "",
  since: "2026-01-01T00:00:00.000Z",
});

const healthKeys = async (): Promise<string[]> =>
  (await keysOf(harness.store)).filter((key) => key.includes("/health/"));
const hasNode = async (): Promise<boolean> => (await keysOf(harness.store)).includes("/lb/v1/node/lb-1");

/** Lets the session's write, and what follows from it, happen. */
async function settle(): Promise<void> {
  await session.flushed();
  await new Promise((resolve) => setImmediate(resolve));
}

describe("publishing", () => {
  test("is seen by the own process at once and by the store with the first write", async () => {
    session.publish(node(7));
    expect(harness.repository.nodes.live).toMatchObject([{ name: "lb-1", appliedRevision: 7 }]);
    await settle();
    expect(await hasNode()).toBe(true);
  });

  test("writes at most ten times a second, the newest state last", async () => {
    session.publish(node(0));
    await settle();
    const { revision: before } = await harness.store.status();
    for (let step = 1; step <= 1000; step++) {
      session.publish(node(step));
      harness.clock.advance(1);
      await settle();
    }
    harness.clock.advance(100);
    await settle();
    const { revision, kv } = { ...(await harness.store.get("/lb/v1/node/lb-1")) };
    expect(revision - before).toBeLessThanOrEqual(10);
    expect(JSON.parse(Buffer.from(kv?.value ?? []).toString())).toMatchObject({ appliedRevision: 1000 });
  });

  test("ends when the session is closed", async () => {
    session.publish(node(1));
    session.recordHealth([verdict("b1")]);
    await settle();
    await session.close();
    expect(await hasNode()).toBe(false);
    expect(await healthKeys()).toEqual([]);
  });
});

describe("verdicts", () => {
  test("of many backends take few writes", async () => {
    session.publish(node(1));
    await settle();
    const { revision: before } = await harness.store.status();
    session.recordHealth(Array.from({ length: 250 }, (_, index) => verdict(`b${index}`)));
    for (let step = 0; step < 5; step++) {
      harness.clock.advance(100);
      await settle();
    }
    expect(await healthKeys()).toHaveLength(250);
    expect((await harness.store.status()).revision - before).toBe(3);
  });

  test("that are forgotten leave the store", async () => {
    session.publish(node(1));
    session.recordHealth([verdict("b1"), verdict("b2", "OFFLINE")]);
    await settle();
    session.forgetHealth([{ loadBalancerId: "lb", backendId: "b1" }]);
    harness.clock.advance(100);
    await settle();
    expect(await healthKeys()).toEqual(["/lb/v1/health/lb/b2/lb-1"]);
  });
});

test("ejections are in the store for as long as they last", async () => {
  session.publish(node(1));
  session.recordEjection({ loadBalancerId: "lb", backendId: "b1", until: "2026-01-01T00:00:30.000Z" });
  await settle();
  expect(await healthKeys()).toEqual(["/lb/v1/health/lb/b1/ejected/lb-1"]);
  session.recordEjection({ loadBalancerId: "lb", backendId: "b1" });
  harness.clock.advance(100);
  await settle();
  expect(await healthKeys()).toEqual([]);
});

describe("other records of the node", () => {
  const record = async (key: string): Promise<unknown> => {
    const { kv } = await harness.store.get(key);
    return kv === undefined ? undefined : JSON.parse(Buffer.from(kv.value).toString());
  };

  test("are written under the node's lease, the newest value of each", async () => {
    session.publish(node(1));
    session.setRecord("/lb/v1/announce/192.0.2.1/lb-1", { canServe: false });
    session.setRecord("/lb/v1/announce/192.0.2.1/lb-1", { canServe: true });
    session.setRecord("/lb/v1/announce/192.0.2.2/lb-1", { canServe: true });
    await settle();
    session.removeRecord("/lb/v1/announce/192.0.2.2/lb-1");
    session.removeRecord("/lb/v1/announce/192.0.2.3/lb-1");
    harness.clock.advance(100);
    await settle();
    expect(await record("/lb/v1/announce/192.0.2.1/lb-1")).toEqual({ canServe: true });
    expect(await record("/lb/v1/announce/192.0.2.2/lb-1")).toBeUndefined();
    const leases = await Promise.all(
      ["/lb/v1/announce/192.0.2.1/lb-1", "/lb/v1/node/lb-1"].map(
        async (key) => (await harness.store.get(key)).kv?.lease,
      ),
    );
    expect(new Set(leases).size).toBe(1);
    expect(leases[0]).toBeDefined();
  });

  test("share the limit of ten writes a second, and the node's own record goes ahead of them", async () => {
    session.publish(node(1));
    await settle();
    const { revision: before } = await harness.store.status();
    for (let index = 0; index < 250; index++) session.setRecord(`/lb/v1/announce/192.0.2.${index}/lb-1`, { index });
    session.publish(node(2));
    harness.clock.advance(100);
    await settle();
    expect(await record("/lb/v1/node/lb-1")).toMatchObject({ appliedRevision: 2 });
    expect((await harness.store.status()).revision - before).toBe(1);
    for (let step = 0; step < 5; step++) {
      harness.clock.advance(100);
      await settle();
    }
    expect((await keysOf(harness.store)).filter((key) => key.includes("/announce/"))).toHaveLength(250);
    expect((await harness.store.status()).revision - before).toBe(3);
  });

  test("are said again after a lost lease, but not those that were taken back", async () => {
    session.publish(node(1));
    session.setRecord("/lb/v1/announce/192.0.2.1/lb-1", { canServe: true });
    session.setRecord("/lb/v1/announce/192.0.2.2/lb-1", { canServe: true });
    await settle();
    const lease = (await harness.store.get("/lb/v1/node/lb-1")).kv?.lease;
    if (lease === undefined) throw new Error("the node's record has no lease");
    await harness.store.revokeLease(lease);
    session.removeRecord("/lb/v1/announce/192.0.2.2/lb-1");
    for (let step = 0; step < 5; step++) {
      harness.clock.advance(1000);
      await settle();
    }
    expect(await record("/lb/v1/announce/192.0.2.1/lb-1")).toEqual({ canServe: true });
    expect(await record("/lb/v1/announce/192.0.2.2/lb-1")).toBeUndefined();
  });
});

describe("the lease", () => {
  test("is kept alive", async () => {
    session.publish(node(1));
    await settle();
    for (let step = 0; step < 20; step++) {
      harness.clock.advance(5000);
      await settle();
    }
    expect(await hasNode()).toBe(true);
  });

  test("that was lost is begun anew, with everything that was said under it", async () => {
    session.publish(node(3));
    session.recordHealth([verdict("b1"), verdict("b2")]);
    await settle();
    const lease = (await harness.store.get("/lb/v1/node/lb-1")).kv?.lease;
    if (lease === undefined) throw new Error("the node's record has no lease");
    await harness.store.revokeLease(lease);
    expect(await hasNode()).toBe(false);
    harness.clock.advance(5000);
    await eventually(harness.store, async () => (await hasNode()) && (await healthKeys()).length === 2);
  });

  test("of a node that is no more ends by itself, and others see it", async () => {
    await harness.store.txn({ success: [await foreignNode()] });
    await eventually(harness.store, async () => harness.repository.nodes.live.length === 1);
    await nodesAre(["lb-9"]);
    harness.clock.advance(10_000);
    await nodesAre([]);
  });
});

/** What another node wrote that is not there to renew. */
async function foreignNode() {
  const lease = await harness.store.grantLease(10_000);
  const value = Buffer.from(JSON.stringify(node(1, "lb-9")));
  return { type: "put", key: "/lb/v1/node/lb-9", value, lease } as const;
}

async function nodesAre(names: readonly string[]): Promise<void> {
  const { nodes } = harness.repository;
  while (nodes.live.map(({ name }) => name).join() !== names.join())
    await new Promise((resolve) => setImmediate(resolve));
}
