import { DomainError } from "@fiberlb/types";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";

import { FakeClock } from "../fake-clock.ts";
import { type RepositoryHarness, spec, startRepository, storeOn, TENANT } from "./harness.ts";

/** Two nodes on one store. */
let one: RepositoryHarness;
let two: RepositoryHarness;
beforeEach(async () => {
  const clock = new FakeClock();
  const store = storeOn(clock);
  one = await startRepository({ store, clock });
  two = await startRepository({ store, clock });
});
afterEach(async () => {
  await two.repository.stop();
  await one.stop();
});

/** Who won, and what the others were told. */
async function outcome(calls: readonly Promise<unknown>[]): Promise<{ won: number; told: string[] }> {
  const settled = await Promise.allSettled(calls);
  const told = settled.flatMap((result) => (result.status === "rejected" ? [kindOf(result.reason)] : []));
  return { won: settled.length - told.length, told: [...new Set(told)] };
}

const kindOf = (error: unknown): string => {
  if (error instanceof DomainError) return error.kind;
  throw error;
};

const both = (
  count: number,
  call: (harness: RepositoryHarness, index: number) => Promise<unknown>,
): Promise<unknown>[] => Array.from({ length: count }, (_, index) => call(index % 2 === 0 ? one : two, index));

describe("racers on two nodes", () => {
  test("never share an address that is assigned", async () => {
    const created = await Promise.all(both(60, ({ create }) => create("loadBalancer", {})));
    const vips = created.map(
      (stored) => (stored as Awaited<ReturnType<typeof one.create<"loadBalancer">>>).entity.vipAddress,
    );
    expect(new Set(vips).size).toBe(60);
    const lowest = Array.from({ length: 60 }, (_, index) => `192.0.2.${index + 1}`);
    expect([...vips].toSorted((a, b) => Number(a.split(".")[3]) - Number(b.split(".")[3]))).toEqual(lowest);
  });

  test("for one address: one wins, the others are told that it is in use", async () => {
    const racing = both(10, ({ create }) => create("loadBalancer", { vipAddress: "192.0.2.77" }));
    expect(await outcome(racing)).toEqual({ won: 1, told: ["already-exists"] });
  });

  test("for one name, one port, one address of a pool, one health check: one wins", async () => {
    const { location } = await one.create("loadBalancer", {});
    const loadBalancerId = location.id;
    const pool = await one.create("pool", { loadBalancerId });
    const poolId = pool.location.id;
    const lost = { won: 1, told: ["already-exists"] };
    expect(await outcome(both(8, ({ create }) => create("loadBalancer", { name: "same" })))).toEqual(lost);
    const listener = { loadBalancerId, protocol: "TCP", port: 80 };
    expect(await outcome(both(8, ({ create }) => create("listener", listener)))).toEqual(lost);
    const backend = { poolId, address: "10.0.0.1", port: 80 };
    expect(await outcome(both(8, ({ create }) => create("backend", backend)))).toEqual(lost);
    expect(await outcome(both(8, ({ create }) => create("healthCheck", { poolId, type: "TCP" })))).toEqual(lost);
  });

  test("a loser of a name race gives its address back", async () => {
    await outcome(both(8, ({ create }) => create("loadBalancer", { name: "same" })));
    const next = await one.create("loadBalancer", {});
    const after = await two.create("loadBalancer", {});
    expect([next.entity.vipAddress, after.entity.vipAddress].toSorted()).toEqual(["192.0.2.2", "192.0.2.3"]);
  });

  test("updates of different fields without a revision are both kept", async () => {
    const { location } = await one.create("loadBalancer", {});
    const update = (harness: RepositoryHarness, mask: string, value: string) =>
      harness.repository.update({
        tenant: TENANT,
        kind: "loadBalancer",
        id: location.id,
        patch: { [mask]: value },
        mask: [mask],
        validateOnly: false,
      });
    await Promise.all([update(one, "name", "renamed"), update(two, "description", "described")]);
    const { entity } = await one.repository.get(TENANT, "loadBalancer", location.id);
    expect(entity).toMatchObject({ name: "renamed", description: "described", revision: 3 });
  });

  test("updates with the same revision: one wins", async () => {
    const { location } = await one.create("loadBalancer", {});
    const racing = both(6, ({ repository }, index) =>
      repository.update({
        tenant: TENANT,
        kind: "loadBalancer",
        id: location.id,
        revision: 1,
        patch: { description: `by ${index}` },
        mask: ["description"],
        validateOnly: false,
      }),
    );
    expect(await outcome(racing)).toEqual({ won: 1, told: ["aborted"] });
  });

  test("L7 policies that are inserted at once are all in the order, each once", async () => {
    const { location } = await one.create("loadBalancer", {});
    const listener = await one.create("listener", { loadBalancerId: location.id, protocol: "HTTP", port: 80 });
    const listenerId = listener.location.id;
    await Promise.all(both(12, ({ create }) => create("l7Policy", { listenerId, action: "REJECT", position: 1 })));
    const tree = await one.repository.readTree({ tenant: TENANT, loadBalancerId: location.id });
    expect(tree?.l7Policies.map(({ position }) => position)).toEqual(
      Array.from({ length: 12 }, (_, index) => index + 1),
    );
  });

  test("a child and the deletion of its parent: never a child without a parent", async () => {
    for (let round = 0; round < 15; round++) {
      const { location } = await one.create("loadBalancer", {});
      const id = location.id;
      const deletion = two.repository.delete({
        tenant: TENANT,
        kind: "loadBalancer",
        id,
        cascade: false,
        validateOnly: false,
      });
      const [deleted, created] = await Promise.allSettled([deletion, one.create("pool", { loadBalancerId: id })]);
      const pools = await one.repository.list({ tenant: TENANT, kind: "pool", tags: {}, limit: 1000 });
      const orphans = pools.items.filter((pool) => pool.location.loadBalancerId === id);
      expect([deleted.status, created.status, orphans.length]).toEqual(
        deleted.status === "fulfilled" ? ["fulfilled", "rejected", 0] : ["rejected", "fulfilled", 1],
      );
    }
  });

  test("a reference and the deletion of its target: never a listener with a pool that is gone", async () => {
    const { location } = await one.create("loadBalancer", {});
    const loadBalancerId = location.id;
    for (let round = 0; round < 15; round++) {
      const pool = await one.create("pool", { loadBalancerId });
      const id = pool.location.id;
      const [deleted, created] = await Promise.allSettled([
        two.repository.delete({ tenant: TENANT, kind: "pool", id, cascade: false, validateOnly: false }),
        one.create("listener", { loadBalancerId, protocol: "TCP", port: 1000 + round, defaultPoolId: id }),
      ]);
      expect([deleted.status, created.status].toSorted()).toEqual(["fulfilled", "rejected"]);
    }
  });

  test("a VIP pool's range that is removed and an address taken from it: never both", async () => {
    await one.repository.vipPools.create(
      spec("vipPool", { name: "small", cidrs: ["198.51.100.0/24", "203.0.113.0/24"] }),
      {
        validateOnly: false,
      },
    );
    const narrowing = two.repository.vipPools.update({
      id: "small",
      patch: { cidrs: ["203.0.113.0/24"] },
      mask: ["cidrs"],
      validateOnly: false,
    });
    const [narrowed, created] = await Promise.allSettled([
      narrowing,
      one.create("loadBalancer", { vipAddress: "198.51.100.9" }),
    ]);
    expect([narrowed.status, created.status].toSorted()).toEqual(["fulfilled", "rejected"]);
  });
});
