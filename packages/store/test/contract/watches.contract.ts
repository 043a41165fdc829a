import { describe, expect, test } from "@jest/globals";

import { ALL_KEYS, prefixRange, put, remove, removeRange, type Store, type WatchBatch } from "../../src/index.ts";
import { brief, bytes, type StoreUnderTest, take, useStore, write } from "./fixture.ts";

export function describeWatches(subject: StoreUnderTest): void {
  describe("watch", () => {
    const fixture = useStore(subject);

    test("delivers whole transactions of the range, in order, without what lies beside", async () => {
      const from = (await write(fixture.store, "a/0")) + 1;
      const watch = fixture.store.watch({ ...prefixRange("a/"), fromRevision: from });
      await fixture.store.txn({ success: [put("a/1", bytes("x")), put("b", bytes("")), put("a/2", bytes("y"))] });
      await write(fixture.store, "b");
      await fixture.store.txn({ success: [remove("a/2"), removeRange(prefixRange("a/0"))] });
      expect(brief(await take(watch, 2))).toEqual([`${from} put a/1=x put a/2=y`, `${from + 2} delete a/2 delete a/0`]);
    });

    test("a deletion tells the key and its revision", async () => {
      const from = (await write(fixture.store, "k", "v")) + 1;
      await fixture.store.txn({ success: [remove("k")] });
      const [batch] = await take(fixture.store.watch({ ...ALL_KEYS, fromRevision: from }), 1);
      expect(batch!.events).toEqual([
        {
          type: "delete",
          kv: { key: "k", value: new Uint8Array(0), createRevision: 0, modRevision: from, version: 0 },
        },
      ]);
    });

    test("without fromRevision it begins with what is committed after the call", async () => {
      await write(fixture.store, "k", "before");
      const watch = fixture.store.watch(ALL_KEYS);
      const revision = await write(fixture.store, "k", "after");
      expect(brief(await take(watch, 1))).toEqual([`${revision} put k=after`]);
    });

    test("a revision in the future is waited for", async () => {
      const now = await write(fixture.store, "k", "0");
      const watch = fixture.store.watch({ ...ALL_KEYS, fromRevision: now + 3, progress: true });
      for (const value of ["1", "2", "3"]) await write(fixture.store, "k", value);
      expect(brief(await take(watch, 1))).toEqual([`${now + 3} put k=3`]);
    });

    test("prevKv tells the state before, from the history and live alike", async () => {
      const from = await write(fixture.store, "k", "one");
      await write(fixture.store, "k", "two");
      const options = { ...ALL_KEYS, fromRevision: from, prevKv: true };
      const watch = fixture.store.watch(options)[Symbol.asyncIterator]();
      const seen = [await watch.next(), await watch.next()];
      await fixture.store.txn({ success: [remove("k")] });
      seen.push(await watch.next());
      const previous = seen.map((step) => (step.value as WatchBatch).events[0]?.prevKv?.value);
      expect(previous).toEqual([undefined, bytes("one"), bytes("two")]);
      await watch.return?.();
    });

    test("progress: one empty batch once it has caught up, even when nothing happened", async () => {
      const revision = await write(fixture.store, "other");
      const options = { ...prefixRange("k"), progress: true };
      const fromRevision = (await fixture.store.status()).compactRevision + 1;
      expect(await take(fixture.store.watch({ ...options, fromRevision }), 1)).toEqual([{ revision, events: [] }]);
      expect(await take(fixture.store.watch(options), 1)).toEqual([{ revision, events: [] }]);
    });

    test("progress goes on while others write", async () => {
      const start = await write(fixture.store, "other");
      const watch = fixture.store.watch({ ...prefixRange("k"), progress: true })[Symbol.asyncIterator]();
      await watch.next();
      const next = watch.next();
      await writeMany(fixture.store, 1500);
      const batch = (await next).value as WatchBatch;
      expect(batch.events).toEqual([]);
      expect(batch.revision).toBeGreaterThan(start);
      await watch.return?.();
    });

    test("every watcher sees the same order", async () => {
      const watches = Array.from({ length: 5 }, () => take(fixture.store.watch(ALL_KEYS), 100));
      await writeMany(fixture.store, 100);
      const [first, ...others] = (await Promise.all(watches)).map(brief);
      for (const other of others) expect(other).toEqual(first);
    });
  });

  describe("watch: resuming", () => {
    const fixture = useStore(subject);

    test("from any revision during a storm: no gap, no duplicate", async () => {
      const first = await write(fixture.store, "k");
      const storm = writeMany(fixture.store, 600);
      const last = first + 600;
      const starts = Array.from({ length: 8 }, (_, index) => first + index * 70);
      const seen = await Promise.all(starts.map((start) => revisionsInPieces(fixture.store, start, last)));
      await storm;
      for (const [index, start] of starts.entries()) {
        expect(seen[index]).toEqual(Array.from({ length: last - start + 1 }, (_, offset) => start + offset));
      }
    });

    test("a slow consumer loses nothing", async () => {
      const watch = fixture.store.watch(ALL_KEYS)[Symbol.asyncIterator]();
      const first = await write(fixture.store, "k");
      expect((await watch.next()).value).toMatchObject({ revision: first });
      await writeMany(fixture.store, 3000);
      const revisions: number[] = [];
      while (revisions.length < 3000) revisions.push(((await watch.next()).value as WatchBatch).revision);
      expect(revisions).toEqual(Array.from({ length: 3000 }, (_, index) => first + 1 + index));
      await watch.return?.();
    });

    test("a compacted revision ends the watch with COMPACTED, naming where history begins", async () => {
      await write(fixture.store, "k", "one");
      const second = await write(fixture.store, "k", "two");
      const third = await write(fixture.store, "k", "three");
      await fixture.store.compact(second);
      const tooOld = take(fixture.store.watch({ ...ALL_KEYS, fromRevision: second - 1 }), 1);
      await expect(tooOld).rejects.toMatchObject({ code: "COMPACTED", compactRevision: second });
      const batches = await take(fixture.store.watch({ ...ALL_KEYS, fromRevision: second + 1, prevKv: true }), 1);
      expect(brief(batches)).toEqual([`${third} put k=three`]);
      expect(batches[0]!.events[0]!.prevKv?.value).toEqual(bytes("two"));
    });

    test("a slow consumer learns when history went away under it", async () => {
      const watch = fixture.store.watch(ALL_KEYS)[Symbol.asyncIterator]();
      await writeMany(fixture.store, 3000);
      await fixture.store.compact((await fixture.store.status()).revision);
      const drain = async () => {
        for (;;) await watch.next();
      };
      await expect(drain()).rejects.toMatchObject({ code: "COMPACTED" });
      expect(await watch.next()).toEqual({ done: true, value: undefined });
    });

    test("at least 10,000 revisions are kept without anybody asking", async () => {
      await writeMany(fixture.store, 12_500);
      const { revision } = await fixture.store.status();
      const watch = fixture.store.watch({ ...ALL_KEYS, fromRevision: revision - 9999 });
      const batches = await take(watch, 10_000);
      expect(batches[0]!.revision).toBe(revision - 9999);
      expect(batches.at(-1)!.revision).toBe(revision);
    }, 60_000);
  });

  describe("watch: ending", () => {
    const fixture = useStore(subject);

    test("the signal ends it without an error, before and while it waits", async () => {
      const abort = new AbortController();
      const waiting = take(fixture.store.watch({ ...ALL_KEYS, signal: abort.signal }), 1);
      abort.abort();
      expect(await waiting).toEqual([]);
      expect(await take(fixture.store.watch({ ...ALL_KEYS, signal: abort.signal }), 1)).toEqual([]);
    });

    test("closing the store ends it with CLOSED, after what happened before", async () => {
      const watch = fixture.store.watch(ALL_KEYS)[Symbol.asyncIterator]();
      const revision = await write(fixture.store, "k");
      await fixture.store.close();
      expect(await watch.next()).toMatchObject({ value: { revision } });
      await expect(watch.next()).rejects.toMatchObject({ code: "CLOSED" });
    });
  });
}

/** Writes `count` transactions, many at a time. */
async function writeMany(store: Store, count: number): Promise<void> {
  for (let done = 0; done < count; done += 250) {
    const some = Math.min(250, count - done);
    await Promise.all(Array.from({ length: some }, (_, index) => write(store, `many/${index % 100}`, `${done}`)));
  }
}

/** Watches to `last`, giving up and resuming after every 100 batches; answers the revisions seen. */
async function revisionsInPieces(store: Store, from: number, last: number): Promise<number[]> {
  const revisions: number[] = [];
  for (let next = from; next <= last; next = revisions.at(-1)! + 1) {
    const batches = await take(store.watch({ ...ALL_KEYS, fromRevision: next }), Math.min(100, last - next + 1));
    revisions.push(...batches.map(({ revision }) => revision));
  }
  return revisions;
}
