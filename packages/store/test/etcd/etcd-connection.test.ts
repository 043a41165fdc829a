import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from "@jest/globals";

import { ALL_KEYS, openEtcdStore, put, type Store, type StoreError, type WatchBatch } from "../../src/index.ts";
import { brief, bytes, take, text, write } from "../contract/fixture.ts";
import { EtcdCluster, whyNoEtcd } from "./etcd-process.ts";
import { TcpProxy } from "./tcp-proxy.ts";

jest.setTimeout(60_000);

(whyNoEtcd ? describe.skip : describe)(`bad connections${whyNoEtcd ? ` (skipped: ${whyNoEtcd})` : ""}`, () => {
  let cluster: EtcdCluster;
  let proxies: TcpProxy[];
  let direct: Store;
  let opened: Store[];
  let prefixes = 0;
  let prefix: string;
  beforeAll(async () => {
    cluster = await EtcdCluster.start(1);
  });
  afterAll(() => cluster.stop());
  beforeEach(async () => {
    const [url] = cluster.endpoints;
    prefix = `/test-${prefixes++}/`;
    proxies = [await TcpProxy.start(url!), await TcpProxy.start(url!)];
    opened = [];
    direct = await openEtcdStore({ endpoints: [url!], prefix });
    opened.push(direct);
  });
  afterEach(async () => {
    await Promise.all(opened.map((store) => store.close()));
    await Promise.all(proxies.map((proxy) => proxy.stop()));
  });

  /** A store that begins with the first of these members. */
  const through = async (...members: readonly TcpProxy[]): Promise<Store> => {
    const endpoints = members.map(({ url }) => url);
    const store = await openEtcdStore({ endpoints, prefix, attemptTimeoutMs: 300, timeoutMs: 2000, random: () => 0 });
    opened.push(store);
    return store;
  };

  test("a transaction whose answer is lost is not made again: it may have happened, and it did", async () => {
    const store = await through(...proxies);
    const swallowed = proxies[0]!.mute();
    const lost = store.txn({ success: [put("k", bytes("once"))] });
    lost.catch(() => {});
    await swallowed;
    await expect(lost).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: `etcd member ${proxies[0]!.url} was lost during the transaction (no answer within 300 ms): it may or may not have happened`,
    });
    expect((await direct.get("k")).kv).toMatchObject({ version: 1 });
    expect(await write(store, "k", "twice")).toBeGreaterThan(1);
  });

  test("one that could not be sent is made elsewhere", async () => {
    const gone = await TcpProxy.start(cluster.endpoints[0]!);
    const endpoints = [gone.url, proxies[0]!.url];
    await gone.stop();
    const store = await openEtcdStore({ endpoints, prefix, random: () => 0, verify: false });
    opened.push(store);
    await write(store, "k", "v");
    expect((await direct.get("k")).kv).toMatchObject({ version: 1 });
  });

  test("a read whose answer is lost is asked for again", async () => {
    const store = await through(...proxies);
    await write(direct, "k", "v");
    void proxies[0]!.mute();
    expect(text((await store.get("k")).kv)).toBe("v");
  });

  test("with nobody left the reasons are told, one for each member", async () => {
    const store = await through(...proxies);
    for (const proxy of proxies) proxy.cut();
    const failed = await store.get("k").catch((error: StoreError) => error);
    expect(failed).toMatchObject({ code: "UNAVAILABLE" });
    for (const { url } of proxies) expect((failed as StoreError).message).toContain(`${url}: `);
  });

  test("a lease is granted and revoked once, also when the first answer is lost", async () => {
    const store = await through(...proxies);
    void proxies[0]!.mute();
    const lease = await store.grantLease(60_000);
    expect(await direct.keepAlive(lease)).toBe(60_000);
    proxies[0]!.mend();
    void proxies[1]!.mute();
    await store.revokeLease(lease);
    await expect(direct.keepAlive(lease)).rejects.toMatchObject({ code: "LEASE_NOT_FOUND" });
  });

  test("a watch goes on where it was after its connection is cut", async () => {
    const store = await through(proxies[0]!);
    const watch = store.watch(ALL_KEYS)[Symbol.asyncIterator]();
    const first = await write(direct, "k", "1");
    expect((await watch.next()).value).toMatchObject({ revision: first });
    proxies[0]!.cut();
    const missed = [await write(direct, "k", "2"), await write(direct, "k", "3")];
    proxies[0]!.mend();
    const seen = [await watch.next(), await watch.next()].map(({ value }) => (value as WatchBatch).revision);
    expect(seen).toEqual(missed);
  });

  test("a watch leaves a member that has fallen silent", async () => {
    const store = await through(...proxies);
    const watch = store.watch(ALL_KEYS)[Symbol.asyncIterator]();
    await write(direct, "k", "1");
    await watch.next();
    void proxies[0]!.mute();
    const startedAt = performance.now();
    const revision = await write(direct, "k", "2");
    expect((await watch.next()).value).toMatchObject({ revision });
    console.log(`a silent member was left after ${Math.round(performance.now() - startedAt)} ms`);
  });

  test("what was compacted while a watch was cut off: COMPACTED, then a fresh read misses nothing", async () => {
    const store = await through(proxies[0]!);
    const watch = store.watch(ALL_KEYS)[Symbol.asyncIterator]();
    await write(direct, "k", "1");
    await watch.next();
    proxies[0]!.cut();
    await write(direct, "gone", "never seen");
    await write(direct, "k", "2");
    const { revision: compactRevision } = await direct.txn({ success: [{ type: "delete", key: "gone" }] });
    await write(direct, "k", "3");
    await direct.compact(compactRevision);
    proxies[0]!.mend();
    await expect(watch.next()).rejects.toMatchObject({ code: "COMPACTED", compactRevision });
    const { kvs, revision } = await store.range(ALL_KEYS);
    expect(kvs.map((kv) => [kv.key, text(kv)])).toEqual([["k", "3"]]);
    const after = take(store.watch({ ...ALL_KEYS, fromRevision: revision + 1 }), 1);
    const next = await write(direct, "k", "4");
    expect(brief(await after)).toEqual([`${next} put k=4`]);
  });

  test("a watch that was long quiet is not lost to compaction: it knows how far it was", async () => {
    const store = await through(proxies[0]!);
    const watch = store.watch({ ...ALL_KEYS, progress: true })[Symbol.asyncIterator]();
    await watch.next();
    const others = await openEtcdStore({ endpoints: cluster.endpoints, prefix: `${prefix.slice(0, -1)}b/` });
    opened.push(others);
    for (let count = 0; count < 5; count++) await write(others, "beside", String(count));
    const { value } = await watch.next();
    expect((value as WatchBatch).events).toEqual([]);
    proxies[0]!.cut();
    await direct.compact((value as WatchBatch).revision);
    proxies[0]!.mend();
    const revision = await write(direct, "k", "v");
    for (let batch = await watch.next(); ; batch = await watch.next()) {
      if ((batch.value as WatchBatch).events.length === 0) continue;
      expect(batch.value).toMatchObject({ revision });
      break;
    }
  });

  test("transactions larger than etcd's messages arrive whole", async () => {
    const large = (name: string) =>
      Array.from({ length: 60 }, (_, index) => put(`${name}/${index}`, new Uint8Array(20_000)));
    const revisions: number[] = [];
    for (const name of ["a", "b", "c", "d"]) revisions.push((await direct.txn({ success: large(name) })).revision);
    const store = await through(proxies[0]!);
    const batches = await take(store.watch({ ...ALL_KEYS, fromRevision: revisions[0]! }), 4);
    expect(batches.map(({ revision, events }) => [revision, events.length])).toEqual(revisions.map((r) => [r, 60]));
  });

  test("a cluster that was put back to a backup: watches end, so that everything is read afresh", async () => {
    const alone = await EtcdCluster.start(1);
    try {
      const [member] = alone.members;
      const store = await openEtcdStore({ endpoints: alone.endpoints, prefix });
      opened.push(store);
      await write(store, "k", "kept");
      await member!.kill();
      await member!.backUp();
      await member!.start();
      const watch = store.watch(ALL_KEYS)[Symbol.asyncIterator]();
      for (let count = 0; count < 5; count++) await write(store, "k", "forgotten");
      for (let count = 0; count < 5; count++) await watch.next();
      await member!.kill();
      await member!.restore();
      await member!.start();
      await expect(watch.next()).rejects.toMatchObject({ code: "COMPACTED" });
      expect(text((await store.get("k")).kv)).toBe("kept");
      const after = take(store.watch(ALL_KEYS), 1);
      const revision = await write(store, "k", "new");
      expect(brief(await after)).toEqual([`${revision} put k=new`]);
    } finally {
      await alone.stop();
    }
  });
});
