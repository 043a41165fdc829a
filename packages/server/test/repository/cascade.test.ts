import { put, remove, type Store, StoreError, type Txn } from "@fiberlb/store";
import { DomainError } from "@fiberlb/types";
import { describe, expect, test } from "@jest/globals";

import { encodeJson } from "../../src/repository/codec.ts";
import { nodeKey } from "../../src/repository/keys.ts";
import { FakeClock } from "../fake-clock.ts";
import { eventually, keysOf, type RepositoryHarness, startRepository, storeOn, TENANT } from "./harness.ts";

/** Builds a load balancer of everything several, and a certificate that it uses; answers the load balancer's id. */
async function buildTree({ create, repository }: RepositoryHarness, backends: number): Promise<string> {
  const { location } = await create("loadBalancer", { name: "web" });
  const loadBalancerId = location.id;
  const pool = await create("pool", { loadBalancerId, protocol: "HTTP" });
  const defaultPoolId = pool.location.id;
  await create("healthCheck", { poolId: defaultPoolId, type: "TCP" });
  for (let port = 1; port <= backends; port++) {
    await create("backend", { poolId: defaultPoolId, address: "10.0.0.1", port, ttlS: port === 1 ? 60 : 0 });
  }
  for (const port of [80, 8080]) {
    const listener = await create("listener", { loadBalancerId, protocol: "HTTP", port, defaultPoolId });
    for (const position of [1, 1]) {
      const action = { action: "REDIRECT_TO_POOL", redirectPoolId: defaultPoolId };
      const policy = await create("l7Policy", { listenerId: listener.location.id, position, ...action });
      const rule = { type: "PATH", compareType: "STARTS_WITH", value: "/" };
      await create("l7Rule", { l7PolicyId: policy.location.id, ...rule });
    }
  }
  await repository.reader.require(TENANT, "loadBalancer", loadBalancerId);
  return loadBalancerId;
}

const deletion = (id: string) =>
  ({ tenant: TENANT, kind: "loadBalancer", id, cascade: true, validateOnly: false }) as const;

/** A store whose process dies before its n-th transaction that writes; reads go on. */
function dyingStore(inner: Store, writesLeft: number): Store {
  let left = writesLeft;
  return new Proxy(inner, {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown;
      if (typeof value !== "function") return value;
      if (name !== "txn") return value.bind(target) as unknown;
      return async (txn: Txn) => {
        const writes = txn.success.some(({ type }) => type !== "get" && type !== "range");
        if (writes && left-- <= 0) throw new Error("the process died");
        return target.txn(txn);
      };
    },
  });
}

describe("a cascade", () => {
  test("that fails because the store is away is gone on with by itself", async () => {
    const clock = new FakeClock();
    const inner = storeOn(clock);
    const builder = await startRepository({ store: inner, clock });
    const id = await buildTree(builder, 5);
    await builder.repository.stop();
    let away = false;
    const store = new Proxy(inner, {
      get(target, name) {
        const value = Reflect.get(target, name) as unknown;
        if (typeof value !== "function") return value;
        if (name !== "txn") return value.bind(target) as unknown;
        return async (txn: Txn) => {
          if (away && txn.success.some(({ type }) => type === "delete"))
            throw new StoreError("UNAVAILABLE", "the store is away");
          return target.txn(txn);
        };
      },
    });
    const harness = await startRepository({ store, clock });
    away = true;
    await expect(harness.repository.delete(deletion(id))).rejects.toThrow("the store is away");
    away = false;
    clock.advance(1000);
    await eventually(inner, async () => !(await keysOf(inner)).some((key) => key.includes(id)));
    await harness.stop();
    expect(harness.errors).toEqual([]);
  });

  test("leaves nothing behind but the VIP at rest, in transactions of at most 128 operations", async () => {
    const clock = new FakeClock();
    const inner = storeOn(clock);
    const sizes: number[] = [];
    const store = new Proxy(inner, {
      get(target, name) {
        const value = Reflect.get(target, name) as unknown;
        if (typeof value !== "function") return value;
        return (...args: unknown[]): unknown => {
          if (name === "txn") sizes.push((args[0] as Txn).success.length);
          return Reflect.apply(value, target, args);
        };
      },
    });
    const harness = await startRepository({ store, clock });
    const before = await keysOf(store);
    const id = await buildTree(harness, 130);
    await harness.repository.delete(deletion(id));
    const left = (await keysOf(store)).filter((key) => !before.includes(key));
    expect(left).toEqual(["/lb/v1/vip/released/4-c0000201", "/lb/v1/vippool-touch/default"]);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(128);
    await harness.stop();
    expect(harness.errors).toEqual([]);
  });

  test("that dies at any step is finished by the next start, and keeps the VIP until the end", async () => {
    for (let steps = 1; ; steps++) {
      const clock = new FakeClock();
      const store = storeOn(clock);
      const first = await startRepository({ store, clock });
      const id = await buildTree(first, 25);
      await first.repository.stop();
      const dying = await startRepository({ store: dyingStore(store, steps), clock });
      const died = await dying.repository.delete(deletion(id)).then(
        () => false,
        () => true,
      );
      await dying.repository.stop();
      if (!died) {
        expect(steps).toBeGreaterThan(4);
        await store.close();
        return;
      }
      expect(await keysOf(store)).toContain("/lb/v1/vip/used/4-c0000201");
      const next = await startRepository({ store, clock });
      await eventually(store, async () => !(await keysOf(store)).some((key) => key.includes(id)));
      await next.stop();
      expect(next.errors).toEqual([]);
    }
  });

  test("that dies with its node is finished by the elected one", async () => {
    const clock = new FakeClock();
    const store = storeOn(clock);
    const alive = await startRepository({ store, clock });
    const session = alive.repository.openNodeSession("alive");
    const election = alive.repository.openElection("alive", session);
    await eventually(store, () => Promise.resolve(election.isElected));
    const id = await buildTree(alive, 25);
    const record = encodeJson({ name: "dying", startedAt: "1970-01-01T00:00:00Z", appliedRevision: 0 });
    await store.txn({ success: [put(nodeKey("dying"), record)] });
    const dying = await startRepository({ store: dyingStore(store, 3), clock });
    await expect(dying.repository.delete(deletion(id))).rejects.toThrow("the process died");
    await dying.repository.stop();
    expect((await keysOf(store)).some((key) => key.includes(id))).toBe(true);
    // Its lease ends.
    await store.txn({ success: [remove(nodeKey("dying"))] });
    await eventually(store, async () => !(await keysOf(store)).some((key) => key.includes(id)));
    election.stop();
    await session.close();
    await alive.stop();
  });

  test("is seen while it runs, and nothing can be made or changed below it", async () => {
    const clock = new FakeClock();
    const store = storeOn(clock);
    const harness = await startRepository({ store, clock });
    const id = await buildTree(harness, 3);
    const dying = await startRepository({ store: dyingStore(store, 1), clock });
    await expect(dying.repository.delete(deletion(id))).rejects.toThrow("the process died");
    const tree = await harness.repository.readTree({ tenant: TENANT, loadBalancerId: id });
    expect(tree?.loadBalancer.deletingSince).toBeDefined();
    const pool = tree?.pools[0]?.id as string;
    const refused = { kind: "failed-precondition" };
    await expect(harness.create("backend", { poolId: pool, address: "10.0.0.9", port: 9 })).rejects.toMatchObject(
      refused,
    );
    await expect(harness.create("pool", { loadBalancerId: id })).rejects.toMatchObject(refused);
    const update = {
      tenant: TENANT,
      kind: "pool",
      id: pool,
      patch: { name: "x" },
      mask: ["name"],
      validateOnly: false,
    } as const;
    await expect(harness.repository.update(update)).rejects.toThrow(DomainError);
    await harness.repository.delete(deletion(id));
    expect((await keysOf(store)).filter((key) => key.includes(id))).toEqual([]);
    await dying.repository.stop();
    await harness.stop();
  });

  test("of a pool takes its backends and leaves the rest", async () => {
    const harness = await startRepository();
    const { location } = await harness.create("loadBalancer", {});
    const pool = await harness.create("pool", { loadBalancerId: location.id });
    const other = await harness.create("pool", { loadBalancerId: location.id });
    for (const { location: at } of [pool, other])
      await harness.create("backend", { poolId: at.id, address: "10.0.0.1", port: 1 });
    await harness.repository.delete({
      tenant: TENANT,
      kind: "pool",
      id: pool.location.id,
      cascade: true,
      validateOnly: false,
    });
    const tree = await harness.repository.readTree({ tenant: TENANT, loadBalancerId: location.id });
    expect(tree?.pools.map(({ id }) => id)).toEqual([other.location.id]);
    expect(tree?.backends).toHaveLength(1);
    await harness.stop();
  });
});
