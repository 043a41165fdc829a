import { describe, expect, test } from "@jest/globals";

import { ALL_KEYS, type WatchOptions } from "../../src/index.ts";
import type { Commit, HistoryPage, HistoryQuery } from "../../src/mvcc/tables.ts";
import { WatchHub } from "../../src/watch/watch-hub.ts";

const BUFFERED_BATCHES = 1024;

function commit(revision: number, size = 0): Commit {
  const kv = { key: "k", value: new Uint8Array(size), createRevision: 1, modRevision: revision, version: 1 };
  return { revision, changes: [{ type: "put", kv }] };
}

/** A hub over a history whose reads the test answers, or that answers by itself, `pageSize` commits at a time. */
function start(options: { committed: number; pageSize?: number }) {
  const log: Commit[] = Array.from({ length: options.committed }, (_, index) => commit(index + 1));
  const reads: HistoryQuery[] = [];
  const gates: (() => void)[] = [];
  let gated = false;
  const readHistory = async (query: HistoryQuery): Promise<HistoryPage> => {
    reads.push(query);
    if (gated) await new Promise<void>((resolve) => gates.push(resolve));
    const commits = log.slice(query.fromRevision - 1).slice(0, options.pageSize ?? 1000);
    return { commits, through: commits.at(-1)?.revision ?? log.length };
  };
  const hub = new WatchHub({ revision: options.committed, readHistory });
  const publish = (size = 0): void => {
    log.push(commit(log.length + 1, size));
    hub.publish(log.at(-1)!);
  };
  const watch = (more: Partial<WatchOptions> = {}) => hub.watch({ ...ALL_KEYS, ...more })[Symbol.asyncIterator]();
  return { hub, reads, gates, publish, watch, gate: () => (gated = true) };
}

async function revisions(watch: AsyncIterator<{ revision: number }>, count: number): Promise<number[]> {
  const seen: number[] = [];
  while (seen.length < count) seen.push(((await watch.next()).value as { revision: number }).revision);
  return seen;
}

const settled = () => new Promise((resolve) => setImmediate(resolve));
const upTo = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

describe("a watcher", () => {
  test("takes what is committed while it reads the history, once and in order", async () => {
    const { watch, publish, gate, gates, reads } = start({ committed: 5, pageSize: 2 });
    gate();
    const watcher = watch({ fromRevision: 2 });
    const seen = revisions(watcher, 7);
    for (let round = 0; round < 6; round++) {
      await settled();
      if (round < 3) publish();
      gates.shift()?.();
    }
    expect(await seen).toEqual(upTo(2, 8));
    expect(reads.map(({ fromRevision }) => fromRevision)).toEqual([2, 4, 6, 8]);
  });

  test("holds a bounded number of batches for a slow consumer, and reads the rest from the history", async () => {
    const { watch, publish, reads } = start({ committed: 0 });
    const watcher = watch();
    for (let count = 0; count < 3000; count++) publish();
    expect(reads).toEqual([]);
    expect(await revisions(watcher, BUFFERED_BATCHES)).toEqual(upTo(1, BUFFERED_BATCHES));
    expect(reads).toEqual([]);
    expect(await revisions(watcher, 3000 - BUFFERED_BATCHES)).toEqual(upTo(BUFFERED_BATCHES + 1, 3000));
    expect(reads.map(({ fromRevision }) => fromRevision)).toEqual([1025, 2025]);
    publish();
    expect(await revisions(watcher, 1)).toEqual([3001]);
    expect(reads).toHaveLength(2);
  });

  test("is bounded by bytes as well: four batches of 1 MiB", async () => {
    const { watch, publish, reads } = start({ committed: 0 });
    const watcher = watch();
    for (let count = 0; count < 10; count++) publish(1_048_576);
    expect(await revisions(watcher, 10)).toEqual(upTo(1, 10));
    expect(reads.map(({ fromRevision }) => fromRevision)).toEqual([5]);
  });

  test("several calls of next() are answered in order", async () => {
    const { watch, publish } = start({ committed: 1 });
    const watcher = watch({ fromRevision: 1 });
    const steps = [watcher.next(), watcher.next(), watcher.next()];
    publish();
    publish();
    expect((await Promise.all(steps)).map((step) => step.value?.revision)).toEqual([1, 2, 3]);
  });

  test("ends while it reads the history, without a batch more", async () => {
    const { watch, gate, gates } = start({ committed: 3 });
    gate();
    const abort = new AbortController();
    const step = watch({ fromRevision: 1, signal: abort.signal }).next();
    await settled();
    abort.abort();
    gates.shift()!();
    expect(await step).toEqual({ done: true, value: undefined });
  });
});
