import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";

import type { Stored } from "../../src/repository/entity-reader.ts";
import { FakeClock } from "../fake-clock.ts";
import { eventually, type RepositoryHarness, startRepository, storeOn, TENANT } from "./harness.ts";

const TTL_S = 10;
const DRAIN_S = 30;
let harness: RepositoryHarness;
let poolId: string;
beforeEach(async () => {
  harness = await startRepository();
  const { location } = await harness.create("loadBalancer", {});
  const pool = await harness.create("pool", { loadBalancerId: location.id, drainTimeoutS: DRAIN_S });
  poolId = pool.location.id;
});
afterEach(() => harness.stop());

const register = (port = 80): Promise<Stored<"backend">> =>
  harness.create("backend", { poolId, address: "10.0.0.1", port, ttlS: TTL_S });

const read = ({ location }: Stored): Promise<Stored<"backend"> | undefined> =>
  harness.repository.reader.find(TENANT, "backend", location.id);

const isDraining = async (backend: Stored): Promise<boolean> =>
  (await read(backend))?.entity.drainingSince !== undefined;
const isGone = async (backend: Stored): Promise<boolean> => (await read(backend)) === undefined;

describe("a registered backend", () => {
  test("serves as long as it is renewed, and renewing writes nothing", async () => {
    const backend = await register();
    const { revision } = await harness.store.status();
    for (let renewal = 0; renewal < 10; renewal++) {
      harness.clock.advance(TTL_S * 1000 - 1);
      await harness.repository.renewBackend(backend);
    }
    expect(await isDraining(backend)).toBe(false);
    expect((await harness.store.status()).revision).toBe(revision);
  });

  test("that is not renewed drains when its TTL has passed, and goes after the pool's drain timeout", async () => {
    const backend = await register();
    harness.clock.advance(TTL_S * 1000 - 1);
    expect(await isDraining(backend)).toBe(false);
    harness.clock.advance(1);
    await eventually(harness.store, () => isDraining(backend));
    const since = harness.clock.epochMs();
    const drained = await read(backend);
    expect(drained?.entity).toMatchObject({ drainingSince: new Date(since).toISOString(), revision: 1 });
    await waitForTimers(harness, 1);
    harness.clock.advance(DRAIN_S * 1000 - 1);
    expect(await isGone(backend)).toBe(false);
    harness.clock.advance(1);
    await eventually(harness.store, () => isGone(backend));
    await register();
  });

  test("that renews while it drains serves again, and stays", async () => {
    const backend = await register();
    harness.clock.advance(TTL_S * 1000);
    await eventually(harness.store, () => isDraining(backend));
    await harness.repository.renewBackend((await read(backend)) as Stored<"backend">);
    expect(await isDraining(backend)).toBe(false);
    for (let renewal = 0; renewal < 5; renewal++) {
      harness.clock.advance(TTL_S * 1000 - 1);
      await harness.repository.renewBackend((await read(backend)) as Stored<"backend">);
    }
    expect(await isGone(backend)).toBe(false);
  });

  test("that deregisters drains at once", async () => {
    const backend = await register();
    await harness.repository.deregisterBackend(backend);
    expect(await isDraining(backend)).toBe(true);
    await waitForTimers(harness, 1);
    harness.clock.advance(DRAIN_S * 1000);
    await eventually(harness.store, () => isGone(backend));
  });

  test("that deregisters goes as soon as its last connection has ended", async () => {
    await harness.stop();
    let idle = false;
    harness = await startRepository({ isIdle: () => idle });
    const { location } = await harness.create("loadBalancer", {});
    poolId = (await harness.create("pool", { loadBalancerId: location.id, drainTimeoutS: DRAIN_S })).location.id;
    const backend = await register();
    await harness.repository.deregisterBackend(backend);
    await waitForTimers(harness, 1);
    harness.clock.advance(1000);
    expect(await isDraining(backend)).toBe(true);
    idle = true;
    await waitForTimers(harness, 1);
    harness.clock.advance(1000);
    await eventually(harness.store, () => isGone(backend));
  });

  test("that was made to stay never drains, and cannot deregister", async () => {
    const backend = await harness.create("backend", { poolId, address: "10.0.0.2", port: 80 });
    harness.clock.advance(100_000);
    await harness.repository.renewBackend(backend);
    expect(await isDraining(backend)).toBe(false);
    await expect(harness.repository.deregisterBackend(backend)).rejects.toMatchObject({ kind: "failed-precondition" });
  });

  test("becomes one that stays when its TTL is set to 0, and the other way round", async () => {
    const backend = await register();
    const setTtl = (ttlS: number) =>
      harness.repository.update({
        tenant: TENANT,
        kind: "backend",
        id: backend.location.id,
        patch: { ttlS },
        mask: ["ttl_s"],
        validateOnly: false,
      });
    await setTtl(0);
    harness.clock.advance(TTL_S * 2000);
    expect(await isDraining(backend)).toBe(false);
    await setTtl(5);
    harness.clock.advance(5000);
    await eventually(harness.store, () => isDraining(backend));
  });
});

describe("another node", () => {
  test("finishes what began before it started", async () => {
    const clock = new FakeClock();
    const store = storeOn(clock);
    const first = await startRepository({ store, clock });
    const { location } = await first.create("loadBalancer", {});
    const pool = await first.create("pool", { loadBalancerId: location.id, drainTimeoutS: 1 });
    const [expired, drained] = [
      await first.create("backend", { poolId: pool.location.id, address: "10.0.0.1", port: 1, ttlS: 1 }),
      await first.create("backend", { poolId: pool.location.id, address: "10.0.0.1", port: 2, ttlS: 1 }),
    ];
    await first.repository.deregisterBackend(drained);
    await first.repository.stop();
    clock.advance(5000);
    const second = await startRepository({ store, clock });
    const gone = async ({ location: at }: Stored): Promise<boolean> =>
      (await second.repository.reader.find(TENANT, "backend", at.id)) === undefined;
    await eventually(store, () => gone(drained));
    await waitForTimers(second, 1);
    clock.advance(1000);
    await eventually(store, () => gone(expired));
    await second.stop();
    expect(second.errors).toEqual([]);
  });
});

/** The reaper works off events: waits until it has set its timers. */
async function waitForTimers({ clock }: RepositoryHarness, atLeast: number): Promise<void> {
  while (clock.pending < atLeast) await new Promise((resolve) => setImmediate(resolve));
}
