import { describe, expect, test } from "@jest/globals";

import { ALL_KEYS, type LeaseId, prefixRange, put } from "../../src/index.ts";
import { brief, bytes, type OpenStore, take, useStore, write } from "./fixture.ts";

export function describeLeases(open: OpenStore): void {
  describe("leases", () => {
    const fixture = useStore(open);
    const attach = async (lease: LeaseId, ...keys: string[]) =>
      (await fixture.store.txn({ success: keys.map((key) => put(key, bytes("v"), { lease })) })).revision;

    test("when the time is over all keys go in one transaction", async () => {
      const lease = await fixture.store.grantLease(5000);
      const revision = await attach(lease, "a", "b");
      const watch = take(fixture.store.watch(ALL_KEYS), 1);
      fixture.clock.advance(5000);
      expect(brief(await watch)).toEqual([`${revision + 1} delete a delete b`]);
      await expect(fixture.store.leaseTimeToLive(lease)).rejects.toMatchObject({ code: "LEASE_NOT_FOUND" });
      await expect(fixture.store.keepAlive(lease)).rejects.toMatchObject({ code: "LEASE_NOT_FOUND" });
    });

    test("until then they stay, and keepAlive gives the full time again", async () => {
      const lease = await fixture.store.grantLease(5000);
      await attach(lease, "k");
      fixture.clock.advance(4999);
      expect(await fixture.store.leaseTimeToLive(lease)).toEqual({ ttlMs: 5000, remainingMs: 1, keys: ["k"] });
      expect(await fixture.store.keepAlive(lease)).toBe(5000);
      fixture.clock.advance(4999);
      expect((await fixture.store.get("k")).kv?.lease).toBe(lease);
      const gone = take(fixture.store.watch(prefixRange("k")), 1);
      fixture.clock.advance(1);
      expect((await gone)[0]!.events[0]!.type).toBe("delete");
    });

    test("revoking deletes the keys at once, and nothing is left to expire", async () => {
      const lease = await fixture.store.grantLease(5000);
      await attach(lease, "k");
      await fixture.store.revokeLease(lease);
      expect((await fixture.store.get("k")).kv).toBeUndefined();
      await expect(fixture.store.revokeLease(lease)).rejects.toMatchObject({ code: "LEASE_NOT_FOUND" });
      expect(fixture.clock.pendingCount).toBe(0);
    });

    test("a key follows the lease of its last write", async () => {
      const first = await fixture.store.grantLease(1000);
      const second = await fixture.store.grantLease(2000);
      await attach(first, "moved", "freed");
      await attach(second, "moved");
      await write(fixture.store, "freed");
      expect((await fixture.store.leaseTimeToLive(first)).keys).toEqual([]);
      expect((await fixture.store.leaseTimeToLive(second)).keys).toEqual(["moved"]);
      await fixture.store.revokeLease(first);
      expect((await fixture.store.range(ALL_KEYS)).kvs.map(({ key }) => key)).toEqual(["freed", "moved"]);
    });

    test("a deleted key that is written again belongs to no lease", async () => {
      const lease = await fixture.store.grantLease(1000);
      await attach(lease, "k");
      await fixture.store.txn({ success: [{ type: "delete", key: "k" }] });
      await write(fixture.store, "k");
      await fixture.store.revokeLease(lease);
      expect((await fixture.store.get("k")).kv).toMatchObject({ version: 1 });
    });

    test("an unknown lease fails the whole transaction", async () => {
      const lease = await fixture.store.grantLease(1000);
      await fixture.store.revokeLease(lease);
      const before = (await fixture.store.status()).revision;
      const txn = fixture.store.txn({ success: [put("a", bytes("")), put("b", bytes(""), { lease })] });
      await expect(txn).rejects.toMatchObject({ code: "LEASE_NOT_FOUND", message: expect.stringContaining(lease) });
      expect(await fixture.store.range(ALL_KEYS)).toMatchObject({ kvs: [], revision: before });
      const made = fixture.store.leaseTimeToLive("made up" as LeaseId);
      await expect(made).rejects.toMatchObject({ code: "LEASE_NOT_FOUND" });
    });

    test("the time must be a whole, positive number", async () => {
      for (const ttlMs of [0, -1, 1.5, Number.NaN, Infinity]) {
        await expect(fixture.store.grantLease(ttlMs)).rejects.toMatchObject({ code: "INVALID" });
      }
    });
  });
}
