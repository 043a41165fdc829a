import { describe, expect, test } from "@jest/globals";

import { EtcdWatcher } from "../../src/etcd/etcd-watcher.ts";
import { ALL_KEYS, type WatchBatch, type WatchOptions } from "../../src/index.ts";

const empty = (revision: number): WatchBatch => ({ revision, events: [] });

function watcherOf(watch: Partial<WatchOptions>, newest: number) {
  const wanting: EtcdWatcher[] = [];
  const ended: EtcdWatcher[] = [];
  const watcher = new EtcdWatcher({
    watch: { ...ALL_KEYS, ...watch },
    newest,
    onWanting: (one) => wanting.push(one),
    onEnd: (one) => ended.push(one),
  });
  return { watcher, wanting, ended };
}

describe("a consumer of an etcd watch", () => {
  test("begins after what the client has heard of, or where the first stream begins", () => {
    expect(watcherOf({}, 7).watcher.next).toBe(8);
    const { watcher } = watcherOf({}, 0);
    expect(watcher.next).toBeUndefined();
    watcher.started(12);
    expect(watcher.next).toBe(13);
    watcher.started(20);
    expect(watcher.next).toBe(13);
  });

  test("what comes early or twice, after another stream began before it, is left out", async () => {
    const { watcher } = watcherOf({ fromRevision: 5 }, 4);
    for (const revision of [4, 5, 6, 5, 6, 7]) watcher.take(empty(revision));
    const revisions = [];
    for (let count = 0; count < 3; count++) revisions.push((await watcher.batches.next()).value?.revision);
    expect(revisions).toEqual([5, 6, 7]);
    expect(watcher.batches.empty).toBe(true);
  });

  test("progress moves the place to resume at; only who asked hears of it, once it has caught up", async () => {
    const silent = watcherOf({ fromRevision: 5 }, 4).watcher;
    silent.progress(9);
    expect([silent.next, silent.batches.empty]).toEqual([10, true]);
    const { watcher } = watcherOf({ fromRevision: 5, progress: true }, 4);
    expect(watcher.impatient).toBe(true);
    watcher.progress(4);
    expect(watcher.impatient).toBe(false);
    watcher.progress(4);
    expect((await watcher.batches.next()).value).toEqual(empty(4));
    expect(watcher.batches.empty).toBe(true);
  });

  test("who waits for a revision to come is told nothing of those before it", () => {
    const { watcher } = watcherOf({ fromRevision: 9, progress: true }, 4);
    watcher.progress(6);
    watcher.progress(8);
    expect(watcher.batches.empty).toBe(true);
    expect(watcher.next).toBe(9);
  });

  test("pauses when it is full, and wants to go on where it was when all is taken", async () => {
    const { watcher, wanting } = watcherOf({ fromRevision: 1 }, 0);
    let revision = 1;
    while (watcher.wanting) watcher.take(empty(revision++));
    expect(watcher.next).toBe(revision - 1);
    for (let taken = 1; taken < revision - 1; taken++) await watcher.batches.next();
    expect(wanting).toEqual([]);
    const waiting = watcher.batches.next();
    await Promise.resolve();
    watcher.take(empty(revision - 1));
    expect((await waiting).value).toEqual(empty(revision - 1));
    expect(wanting).toEqual([watcher]);
  });

  test("a compaction ends it, unless it began now and has seen nothing", async () => {
    const fresh = watcherOf({}, 3).watcher;
    fresh.compacted(50);
    expect([fresh.next, fresh.wanting]).toEqual([51, true]);
    const { watcher, ended } = watcherOf({ fromRevision: 4 }, 3);
    watcher.compacted(50);
    await expect(watcher.batches.next()).rejects.toMatchObject({ code: "COMPACTED", compactRevision: 50 });
    expect(ended).toEqual([watcher]);
  });
});
