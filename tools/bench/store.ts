// Store: transactions a second and read latency, of memory and of SQLite (one fsync a group) on the disk of TMPDIR.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createMemoryStore, openSqliteStore, put, type Store, unchanged } from "@fiberlb/store";

import type { BenchTable } from "./table.ts";

/** About an entity as JSON. */
const VALUE = new Uint8Array(512).fill(0x61);
const KEYS = 10_000;
const MEASURE_MS = 1500;
const READS = 2000;

interface Figures {
  readonly txnsPerSecond: number;
  readonly txnP99Ms: number;
}

/** Measures compare-and-swap transactions at concurrency 1 and 64, single reads, and pages of 100 keys. */
export async function benchStore(): Promise<BenchTable> {
  const directory = mkdtempSync(join(tmpdir(), "fiberlb-bench-store-"));
  try {
    return {
      title: "Store",
      columns: ["store", "txn/s, 1 client", "p99 ms", "txn/s, 64 clients", "p99 ms", "get µs", "range of 100 µs"],
      rows: [
        await measure("memory", createMemoryStore()),
        await measure("SQLite", await openSqliteStore({ path: join(directory, "store.db") })),
      ],
      notes: [
        `A transaction is a compare-and-swap of one 512-byte value among ${KEYS} keys, acknowledged when durable.`,
        "SQLite: WAL, synchronous=FULL, transactions that arrive together share one fsync. Reads: median of 2,000.",
      ],
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function measure(name: string, store: Store): Promise<string[]> {
  await fill(store);
  const one = await measureTxns(store, 1);
  const many = await measureTxns(store, 64);
  const getMs = await medianMs((index) => store.get(keyOf(index)));
  const rangeMs = await medianMs((index) => store.range({ start: keyOf(index), end: "k0", limit: 100 }));
  await store.close();
  return [
    name,
    one.txnsPerSecond.toFixed(0),
    one.txnP99Ms.toFixed(2),
    many.txnsPerSecond.toFixed(0),
    many.txnP99Ms.toFixed(2),
    (getMs * 1000).toFixed(0),
    (rangeMs * 1000).toFixed(0),
  ];
}

function keyOf(index: number): string {
  return `k/${String(index % KEYS).padStart(5, "0")}`;
}

async function fill(store: Store): Promise<void> {
  for (let index = 0; index < KEYS; index += 100) {
    await store.txn({ success: Array.from({ length: 100 }, (_, offset) => put(keyOf(index + offset), VALUE)) });
  }
}

/** Each client has keys of its own, so that every comparison holds. */
async function measureTxns(store: Store, clients: number): Promise<Figures> {
  const tookMs: number[] = [];
  const started = performance.now();
  const client = async (number: number): Promise<void> => {
    const key = keyOf(number);
    let { modRevision } = (await store.get(key)).kv!;
    while (performance.now() - started < MEASURE_MS) {
      const before = performance.now();
      const { revision } = await store.txn({ compare: [unchanged(key, modRevision)], success: [put(key, VALUE)] });
      modRevision = revision;
      tookMs.push(performance.now() - before);
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, number) => client(number)));
  const seconds = (performance.now() - started) / 1000;
  const sorted = tookMs.toSorted((a, b) => a - b);
  return { txnsPerSecond: tookMs.length / seconds, txnP99Ms: sorted[Math.floor(sorted.length * 0.99)]! };
}

async function medianMs(read: (index: number) => Promise<unknown>): Promise<number> {
  const tookMs: number[] = [];
  for (let index = 0; index < READS; index++) {
    const before = performance.now();
    await read(index * 37);
    tookMs.push(performance.now() - before);
  }
  return tookMs.toSorted((a, b) => a - b)[READS / 2]!;
}
