import { describe, expect, test } from "@jest/globals";

import { ALL_KEYS, type LeaseId, put } from "../../src/index.ts";
import { bytes, type StoreUnderTest, useStore, write } from "./fixture.ts";

export function describeLeases(subject: StoreUnderTest): void {
  describe("leases", () => {
    const fixture = useStore(subject);
    const attach = async (lease: LeaseId, ...keys: string[]) =>
      (await fixture.store.txn({ success: keys.map((key) => put(key, bytes("v"), { lease })) })).revision;

    test("revoking deletes the keys at once, and nothing is left to expire", async () => {
      const lease = await fixture.store.grantLease(60_000);
      await attach(lease, "k");
      await fixture.store.revokeLease(lease);
      expect((await fixture.store.get("k")).kv).toBeUndefined();
      await expect(fixture.store.revokeLease(lease)).rejects.toMatchObject({ code: "LEASE_NOT_FOUND" });
      expect(fixture.clock.pendingCount).toBe(0);
    });

    test("a key follows the lease of its last write", async () => {
      const first = await fixture.store.grantLease(60_000);
      const second = await fixture.store.grantLease(60_000);
      await attach(first, "moved", "freed");
      await attach(second, "moved");
      await write(fixture.store, "freed");
      expect((await fixture.store.leaseTimeToLive(first)).keys).toEqual([]);
      expect((await fixture.store.leaseTimeToLive(second)).keys).toEqual(["moved"]);
      await fixture.store.revokeLease(first);
      expect((await fixture.store.range(ALL_KEYS)).kvs.map(({ key }) => key)).toEqual(["freed", "moved"]);
    });

    test("a deleted key that is written again belongs to no lease", async () => {
      const lease = await fixture.store.grantLease(60_000);
      await attach(lease, "k");
      await fixture.store.txn({ success: [{ type: "delete", key: "k" }] });
      await write(fixture.store, "k");
      await fixture.store.revokeLease(lease);
      expect((await fixture.store.get("k")).kv).toMatchObject({ version: 1 });
    });

    test("an unknown lease fails the whole transaction", async () => {
      const lease = await fixture.store.grantLease(60_000);
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
