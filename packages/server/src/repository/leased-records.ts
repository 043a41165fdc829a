import { isStoreError, type LeaseId, type Op, put, remove, type Store } from "@fiberlb/store";

import type { Cancel, Clock } from "../clock.ts";
import { encodeJson } from "./codec.ts";
import type { NodeLease } from "./node-lease.ts";

export interface LeasedRecordsOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly lease: Pick<NodeLease, "acquire" | "lost">;
  /** This key goes ahead of all others that wait. */
  readonly first: string;
  /** A write failed; it is tried again after `RETRY_MS`. Not called twice in a row for the same reason. */
  readonly onError: (error: unknown) => void;
}

/** At most ten writes a second (contract). */
const WRITE_INTERVAL_MS = 100;
const RETRY_MS = 1_000;
/** Well below the 128 operations that etcd takes in a transaction. */
const RECORDS_PER_WRITE = 100;

/**
 * JSON records that live as long as a lease. Writes are gathered; only the newest value counts. When the lease was lost,
 * all of them are written again under the next one.
 */
export class LeasedRecords {
  readonly #options: LeasedRecordsOptions;
  readonly #records = new Map<string, object>();
  /** Keys whose record is to be written, or removed when there is none any more. */
  readonly #dirty = new Set<string>();
  #timer: Cancel | undefined;
  #writing: Promise<void> = Promise.resolve();
  #lastWriteMs = Number.NEGATIVE_INFINITY;
  #lastFailure = "";
  #closed = false;

  constructor(options: LeasedRecordsOptions) {
    this.#options = options;
  }

  /** `value` is not copied: do not change it afterwards. */
  set(key: string, value: object): void {
    this.#records.set(key, value);
    this.#dirty.add(key);
    this.#schedule();
  }

  /** Takes a record back; nothing happens when there is none. */
  remove(key: string): void {
    if (!this.#records.delete(key)) return;
    this.#dirty.add(key);
    this.#schedule();
  }

  /** The lease has ended: everything has to be said again. */
  rewrite(): void {
    for (const key of this.#records.keys()) this.#dirty.add(key);
    this.#schedule();
  }

  /** Resolves when the write that runs is over, whatever became of it. */
  async flushed(): Promise<void> {
    await this.#writing;
  }

  /** Writes nothing any more. Resolves when the write that runs is over. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.();
    await this.#writing;
  }

  #schedule(delayMs = this.#lastWriteMs + WRITE_INTERVAL_MS - this.#options.clock.nowMs()): void {
    if (this.#closed || this.#timer !== undefined || this.#dirty.size === 0) return;
    if (delayMs <= 0) {
      this.#timer = () => undefined;
      this.#writing = this.#writing.then(() => this.#write());
      return;
    }
    this.#timer = this.#options.clock.after(delayMs, () => {
      this.#writing = this.#writing.then(() => this.#write());
    });
  }

  async #write(): Promise<void> {
    if (this.#closed) return;
    this.#lastWriteMs = this.#options.clock.nowMs();
    const keys = this.#takeDirty();
    let lease: LeaseId | undefined;
    try {
      const held = (lease = await this.#options.lease.acquire());
      await this.#options.store.txn({ success: keys.map((key) => this.#op(held, key)) });
      this.#lastFailure = "";
      this.#timer = undefined;
      this.#schedule();
    } catch (error) {
      for (const key of keys) this.#dirty.add(key);
      this.#failed(error, lease);
    }
  }

  #takeDirty(): readonly string[] {
    const { first } = this.#options;
    const others = [...this.#dirty].filter((key) => key !== first);
    const keys = [...(this.#dirty.has(first) ? [first] : []), ...others].slice(0, RECORDS_PER_WRITE);
    for (const key of keys) this.#dirty.delete(key);
    return keys;
  }

  #op(lease: LeaseId, key: string): Op {
    const record = this.#records.get(key);
    return record === undefined ? remove(key) : put(key, encodeJson(record), { lease });
  }

  #failed(error: unknown, lease: LeaseId | undefined): void {
    this.#timer = undefined;
    if (lease !== undefined && isStoreError(error, "LEASE_NOT_FOUND")) {
      this.#options.lease.lost(lease);
      this.#schedule();
      return;
    }
    const failure = String(error);
    if (failure !== this.#lastFailure) this.#options.onError(error);
    this.#lastFailure = failure;
    this.#schedule(RETRY_MS);
  }
}
