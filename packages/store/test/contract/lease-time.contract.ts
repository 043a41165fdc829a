import { describe, expect, test } from "@jest/globals";

import { ALL_KEYS, type LeaseId, prefixRange, put, type Store } from "../../src/index.ts";
import { FakeClock } from "../fake-clock.ts";
import { brief, bytes, type StoreUnderTest, take, useStore } from "./fixture.ts";

/** How leases end in a store that keeps their time itself, to the millisecond. */
export function describeLeaseTime(subject: StoreUnderTest): void {
  describe("the time of leases, by the store's clock", () => {
    let clock: FakeClock;
    const fixture = useStore({ ...subject, newClock: () => (clock = new FakeClock()) });

    test("when the time is over all keys go in one transaction", async () => {
      const lease = await fixture.store.grantLease(5000);
      const revision = await attach(fixture.store, lease, "a", "b");
      const watch = take(fixture.store.watch(ALL_KEYS), 1);
      clock.advance(5000);
      expect(brief(await watch)).toEqual([`${revision + 1} delete a delete b`]);
      await expect(fixture.store.leaseTimeToLive(lease)).rejects.toMatchObject({ code: "LEASE_NOT_FOUND" });
      await expect(fixture.store.keepAlive(lease)).rejects.toMatchObject({ code: "LEASE_NOT_FOUND" });
    });

    test("until then they stay, and keepAlive gives the full time again", async () => {
      const lease = await fixture.store.grantLease(5000);
      await attach(fixture.store, lease, "k");
      clock.advance(4999);
      expect(await fixture.store.leaseTimeToLive(lease)).toEqual({ ttlMs: 5000, remainingMs: 1, keys: ["k"] });
      expect(await fixture.store.keepAlive(lease)).toBe(5000);
      clock.advance(4999);
      expect((await fixture.store.get("k")).kv?.lease).toBe(lease);
      const gone = take(fixture.store.watch(prefixRange("k")), 1);
      clock.advance(1);
      expect((await gone)[0]!.events[0]!.type).toBe("delete");
    });
  });
}

/** How leases end in a store whose servers keep their time, in whole seconds. */
export function describeLeaseRealTime(subject: StoreUnderTest): void {
  describe("the time of leases, by the servers' clocks", () => {
    const fixture = useStore(subject);

    test("when the time is over all keys go in one transaction; one that is kept alive outlasts it", async () => {
      const { store } = fixture;
      const [lease, kept] = [await store.grantLease(2000), await store.grantLease(4000)];
      const revision = await attach(store, lease, "a", "b");
      await attach(store, kept, "kept");
      const watch = take(store.watch({ ...ALL_KEYS, fromRevision: revision + 2 }), 1);
      const ended = await keptAliveUntil(store, kept, watch);
      expect(brief(ended)).toEqual([`${revision + 2} delete a delete b`]);
      expect((await store.get("kept")).kv?.lease).toBe(kept);
      await expect(store.leaseTimeToLive(lease)).rejects.toMatchObject({ code: "LEASE_NOT_FOUND" });
      await expect(store.keepAlive(lease)).rejects.toMatchObject({ code: "LEASE_NOT_FOUND" });
      const gone = take(store.watch(prefixRange("kept")), 1);
      expect((await gone)[0]!.events[0]!.type).toBe("delete");
    });

    test("it may be lengthened to what the servers can keep, and is told", async () => {
      const lease = await fixture.store.grantLease(2500);
      expect(await fixture.store.keepAlive(lease)).toBe(3000);
      await attach(fixture.store, lease, "k");
      const status = await fixture.store.leaseTimeToLive(lease);
      expect(status).toEqual({ ttlMs: 3000, remainingMs: expect.any(Number), keys: ["k"] });
      expect(status.remainingMs).toBeGreaterThan(0);
      expect(status.remainingMs).toBeLessThanOrEqual(3000);
    });
  });
}

async function attach(store: Store, lease: LeaseId, ...keys: string[]): Promise<number> {
  return (await store.txn({ success: keys.map((key) => put(key, bytes("v"), { lease })) })).revision;
}

/** Renews the lease again and again until the promise resolves. */
async function keptAliveUntil<T>(store: Store, lease: LeaseId, until: Promise<T>): Promise<T> {
  for (;;) {
    const renewal = store.keepAlive(lease).then(() => undefined);
    const over = await Promise.race([until.then((value) => ({ value })), renewal]);
    await renewal;
    if (over !== undefined) return over.value;
  }
}
