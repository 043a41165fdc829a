import { existsSync, statSync } from "node:fs";
import { dirname } from "node:path";

import { afterEach, describe, expect, test } from "@jest/globals";

import { ALL_KEYS, type LeaseId, openSqliteStore, put, remove, type SqliteStore } from "../../src/index.ts";
import { brief, bytes, take, text, write } from "../contract/fixture.ts";
import { FakeClock } from "../fake-clock.ts";
import { useTemporaryDirectory } from "./temporary-directory.ts";

describe("a SQLite store over restarts", () => {
  const freshPath = useTemporaryDirectory();
  const stores: SqliteStore[] = [];
  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close();
  });
  const open = async (path: string, clock = new FakeClock()): Promise<SqliteStore> => {
    const store = await openSqliteStore({ path, clock });
    stores.push(store);
    return store;
  };

  test("keeps keys, revisions, versions and history", async () => {
    const path = freshPath();
    const first = await open(path);
    await write(first, "k", "one");
    await write(first, "k", "two");
    await first.compact(2);
    const { revision } = await first.txn({ success: [put("other", bytes("")), remove("k")] });
    const before = await first.range(ALL_KEYS);
    await first.close();

    const second = await open(path);
    expect(await second.range(ALL_KEYS)).toEqual(before);
    expect(await second.status()).toMatchObject({ kind: "sqlite", revision, compactRevision: 2 });
    expect(text((await second.get("k", { revision: 3 })).kv)).toBe("two");
    const watch = second.watch({ ...ALL_KEYS, fromRevision: 3 });
    expect(brief(await take(watch, 2))).toEqual(["3 put k=two", "4 put other= delete k"]);
    expect(await write(second, "k")).toBe(revision + 1);
  });

  test("the revision survives when its rows are compacted away", async () => {
    const path = freshPath();
    const first = await open(path);
    await write(first, "k");
    const { revision } = await first.txn({ success: [remove("k")] });
    await first.compact(revision);
    await first.close();
    expect(await (await open(path)).range(ALL_KEYS)).toEqual({ kvs: [], more: false, count: 0, revision });
  });

  test("a lease has its full time again, then expires by the clock that was given", async () => {
    const path = freshPath();
    const first = await open(path);
    const lease = await first.grantLease(5000);
    await first.txn({ success: [put("k", bytes(""), { lease })] });
    await first.close();

    const clock = new FakeClock();
    const second = await open(path, clock);
    clock.advance(4999);
    expect(await second.leaseTimeToLive(lease)).toEqual({ ttlMs: 5000, remainingMs: 1, keys: ["k"] });
    const gone = take(second.watch(ALL_KEYS), 1);
    clock.advance(1);
    expect(brief(await gone)).toEqual(["3 delete k"]);
    expect(await second.grantLease(1000)).not.toBe(lease);
  });

  test("lease ids that it never gave are unknown, whatever they look like", async () => {
    const store = await open(freshPath());
    for (const id of ["1", "0", "-1", "1.5", "1e3", "999999999999999999999", "x"]) {
      const revoked = store.revokeLease(id as LeaseId);
      await expect(revoked).rejects.toMatchObject({ code: "LEASE_NOT_FOUND" });
    }
  });

  test("file and directory are private, and closing leaves only the file", async () => {
    const path = freshPath();
    const store = await open(path);
    await write(store, "k");
    for (const suffix of ["", "-wal", ".pid"]) expect(statSync(path + suffix).mode & 0o777).toBe(0o600);
    expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
    expect((await store.status()).sizeBytes).toBe(statSync(path).size + statSync(`${path}-wal`).size);
    await store.close();
    expect(["-wal", "-shm", ".pid"].filter((suffix) => existsSync(path + suffix))).toEqual([]);
  });
});
