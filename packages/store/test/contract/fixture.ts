import { afterEach, beforeEach } from "@jest/globals";

import type { Clock, KeyValue, Store, WatchBatch } from "../../src/index.ts";
import { put } from "../../src/index.ts";

/** A clock that tells what is still to happen by it. */
export interface TestClock extends Clock {
  readonly pendingCount: number;
}

/** What the contract is checked on. */
export interface StoreUnderTest {
  /** Makes a fresh, empty store that goes by the clock. */
  readonly open: (clock: TestClock) => Promise<Store>;
  /** One for each store. */
  readonly newClock: () => TestClock;
}

/** The store and clock of the running test. */
export interface Fixture {
  readonly store: Store;
  readonly clock: TestClock;
}

/** A fresh store for every test of the surrounding describe block. */
export function useStore({ open, newClock }: StoreUnderTest): Fixture {
  let store: Store;
  let clock: TestClock;
  beforeEach(async () => {
    clock = newClock();
    store = await open(clock);
  });
  afterEach(() => store.close());
  return {
    get store() {
      return store;
    },
    get clock() {
      return clock;
    },
  };
}

export function bytes(characters: string): Uint8Array {
  return new TextEncoder().encode(characters);
}

export function text(kv: KeyValue | undefined): string | undefined {
  return kv && new TextDecoder().decode(kv.value);
}

/** Writes one key; answers the revision. */
export async function write(store: Store, key: string, value = ""): Promise<number> {
  return (await store.txn({ success: [put(key, bytes(value))] })).revision;
}

/** The first `count` batches of a watch, which is then ended. */
export async function take(watch: AsyncIterable<WatchBatch>, count: number): Promise<WatchBatch[]> {
  const batches: WatchBatch[] = [];
  for await (const batch of watch) {
    batches.push(batch);
    if (batches.length === count) break;
  }
  return batches;
}

/** Batches in short: `5 put a=x`, `6 delete a`. */
export function brief(batches: readonly WatchBatch[]): string[] {
  return batches.map(({ revision, events }) =>
    [
      revision,
      ...events.map(({ type, kv }) => (type === "put" ? `put ${kv.key}=${text(kv)}` : `delete ${kv.key}`)),
    ].join(" "),
  );
}
