import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { openSqliteStore } from "@fiberlb/store";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";

import type { UnitChange } from "../../src/repository/unit-changes.ts";
import { FakeClock } from "../fake-clock.ts";
import { type RepositoryHarness, startRepository, TENANT } from "./harness.ts";

let harness: RepositoryHarness;
let stop: AbortController;
beforeEach(async () => {
  harness = await startRepository();
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await harness.stop();
});

/** Follows until something of a load balancer is told. */
async function follow(from: number, until: (changes: UnitChange[]) => boolean): Promise<UnitChange[]> {
  const seen: UnitChange[] = [];
  for await (const change of harness.repository.watch(from, stop.signal)) {
    seen.push(change);
    if (until(seen)) return seen;
  }
  return seen;
}

const changedIds = (changes: readonly UnitChange[]): string[] =>
  changes.flatMap((change) =>
    change.type === "changed" ? change.changed.map(({ loadBalancerId }) => loadBalancerId) : [],
  );
const removedIds = (changes: readonly UnitChange[]): string[] =>
  changes.flatMap((change) => (change.type === "changed" ? change.removed : []));

describe("the publisher's view", () => {
  test("loadAll gives every tenant's load balancers with all below them", async () => {
    const mine = await harness.create("loadBalancer", { name: "mine" });
    const theirs = await harness.create("loadBalancer", { name: "theirs" }, { orgId: "other", projectId: "x" });
    const pool = await harness.create("pool", { loadBalancerId: mine.location.id });
    await harness.create("backend", { poolId: pool.location.id, address: "10.0.0.1", port: 80 });
    const { trees, revision } = await harness.repository.loadAll();
    expect(trees.map(({ loadBalancer }) => loadBalancer.name).toSorted()).toEqual(["mine", "theirs"]);
    const tree = trees.find(({ loadBalancer }) => loadBalancer.id === mine.location.id);
    expect(tree).toMatchObject({ tenant: TENANT, pools: [{ id: pool.location.id }], backends: [{ port: 80 }] });
    expect(tree?.unitRevision).toBeLessThanOrEqual(revision);
    expect(trees.find(({ loadBalancer }) => loadBalancer.id === theirs.location.id)?.pools).toEqual([]);
  });

  test("every change below a load balancer is told with its id, and so is its end", async () => {
    const { revision } = await harness.repository.loadAll();
    const { location } = await harness.create("loadBalancer", {});
    const id = location.id;
    const listener = await harness.create("listener", { loadBalancerId: id, protocol: "HTTP", port: 80 });
    const policy = await harness.create("l7Policy", { listenerId: listener.location.id, action: "REJECT" });
    const rule = { l7PolicyId: policy.location.id, type: "PATH", compareType: "EQUAL_TO", value: "/" };
    await harness.create("l7Rule", rule);
    await harness.repository.delete({ tenant: TENANT, kind: "loadBalancer", id, cascade: true, validateOnly: false });
    const seen = await follow(revision + 1, (changes) => removedIds(changes).length > 0);
    expect(changedIds(seen).length).toBeGreaterThanOrEqual(5);
    expect(new Set(changedIds(seen))).toEqual(new Set([id]));
    expect(removedIds(seen)).toEqual([id]);
  });

  test("verdicts, renewals and requests change no load balancer", async () => {
    const { location } = await harness.create("loadBalancer", {});
    const pool = await harness.create("pool", { loadBalancerId: location.id });
    const backend = await harness.create("backend", {
      poolId: pool.location.id,
      address: "10.0.0.1",
      port: 80,
      ttlS: 10,
    });
    const { revision } = await harness.store.status();
    await harness.repository.renewBackend(backend);
    await harness.store.txn({ success: [{ type: "put", key: "/lb/v1/health/x/y/z", value: Buffer.from("{}") }] });
    const other = await harness.create("loadBalancer", {});
    const seen = await follow(revision + 1, (changes) => changedIds(changes).length > 0);
    expect(changedIds(seen)).toEqual([other.location.id]);
  });

  test("after compaction it is told to load everything again", async () => {
    await harness.create("loadBalancer", {});
    const { revision } = await harness.store.status();
    await harness.store.compact(revision);
    expect(await follow(1, () => false)).toEqual([{ type: "reload" }]);
  });
});

test("on SQLite everything is there after a restart", async () => {
  const directory = await mkdtemp(join(tmpdir(), "fiberlb-"));
  try {
    const path = join(directory, "fiberlb.db");
    const first = await startRepository({ store: await openSqliteStore({ path }), clock: new FakeClock() });
    const { location, entity } = await first.create("loadBalancer", { name: "kept" });
    const pool = await first.create("pool", { loadBalancerId: location.id, name: "app" });
    await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        first.create("backend", { poolId: pool.location.id, address: "10.0.0.1", port: 1 + index }),
      ),
    );
    await first.stop();
    const second = await startRepository({ store: await openSqliteStore({ path }), clock: new FakeClock() });
    const tree = await second.repository.readTree({ tenant: TENANT, loadBalancerId: location.id });
    expect(tree?.loadBalancer).toEqual(entity);
    expect(tree?.backends).toHaveLength(40);
    await expect(second.create("loadBalancer", { vipAddress: entity.vipAddress })).rejects.toThrow(/is in use/);
    await second.stop();
    expect([...first.errors, ...second.errors]).toEqual([]);
  } finally {
    await rm(directory, { recursive: true });
  }
});
