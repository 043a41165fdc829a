import { isStoreError, type LeaseId, type Op, put, remove, type Store } from "@fiberlb/store";

import type { Cancel, Clock } from "../clock.ts";
import { encodeJson } from "./codec.ts";

export interface LeasedRecordsOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** This key goes ahead of all others that wait. */
  readonly first: string;
  /** A write failed; it is tried again after `RETRY_MS`. */
  readonly onError: (error: unknown) => void;
}

/** A node that is not heard of for so long is gone. */
export const LEASE_TTL_MS = 10_000;
const KEEP_ALIVE_MS = 3_000;
/** At most ten writes a second (contract). */
const WRITE_INTERVAL_MS = 100;
const RETRY_MS = 1_000;
/** Well below the 128 operations that etcd takes in a transaction. */
const RECORDS_PER_WRITE = 100;

/**
 * JSON records that live as long as whoever wrote them: all under one lease, which is kept alive. Writes are gathered;
 * only the newest value counts. When the lease was lost, all of them are written again under the next one.
 */
export class LeasedRecords {
  readonly #options: LeasedRecordsOptions;
  readonly #records = new Map<string, object>();
  /** Keys whose record is to be written, or removed when there is none any more. */
  readonly #dirty = new Set<string>();
  #lease: LeaseId | undefined;
  #timer: Cancel | undefined;
  #keepAliveTimer: Cancel | undefined;
  #writing: Promise<void> = Promise.resolve();
  #lastWriteMs = Number.NEGATIVE_INFINITY;
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

  remove(key: string): void {
    if (!this.#records.delete(key)) return;
    this.#dirty.add(key);
    this.#schedule();
  }

  /** Resolves when the write that runs is over, whatever became of it. */
  async flushed(): Promise<void> {
    await this.#writing;
  }

  /** Ends the lease, and so all records, at once. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.();
    this.#keepAliveTimer?.();
    await this.#writing;
    const lease = this.#lease;
    if (lease === undefined) return;
    await this.#options.store.revokeLease(lease).catch((error: unknown) => {
      if (!isStoreError(error, "LEASE_NOT_FOUND", "CLOSED")) this.#options.onError(error);
    });
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
    try {
      const lease = await this.#ensureLease();
      await this.#options.store.txn({ success: keys.map((key) => this.#op(lease, key)) });
      this.#timer = undefined;
      this.#schedule();
    } catch (error) {
      for (const key of keys) this.#dirty.add(key);
      this.#failed(error);
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

  #failed(error: unknown): void {
    this.#timer = undefined;
    if (isStoreError(error, "LEASE_NOT_FOUND")) {
      this.#loseLease();
      return;
    }
    this.#options.onError(error);
    this.#schedule(RETRY_MS);
  }

  async #ensureLease(): Promise<LeaseId> {
    if (this.#lease !== undefined) return this.#lease;
    this.#lease = await this.#options.store.grantLease(LEASE_TTL_MS);
    this.#keepAliveLater();
    return this.#lease;
  }

  #keepAliveLater(): void {
    this.#keepAliveTimer?.();
    this.#keepAliveTimer = this.#options.clock.after(KEEP_ALIVE_MS, () => void this.#keepAlive());
  }

  async #keepAlive(): Promise<void> {
    if (this.#closed || this.#lease === undefined) return;
    try {
      await this.#options.store.keepAlive(this.#lease);
    } catch (error) {
      if (isStoreError(error, "LEASE_NOT_FOUND")) return this.#loseLease();
      if (isStoreError(error, "CLOSED")) return;
      this.#options.onError(error);
    }
    this.#keepAliveLater();
  }

  /** The store was away for longer than the lease: everything we said is gone and has to be said again. */
  #loseLease(): void {
    this.#lease = undefined;
    for (const key of this.#records.keys()) this.#dirty.add(key);
    this.#schedule();
  }
}
