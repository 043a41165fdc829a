import type { Clock } from "./clock.ts";
import { isStoreError, type StoreError } from "./errors.ts";
import { LeaseTimers } from "./lease/lease-timers.ts";
import type { StoreLogger } from "./logger.ts";
import type { CallName, Calls } from "./mvcc/calls.ts";
import type { Commit, GrantedLease } from "./mvcc/tables.ts";
import { withOwnValues } from "./own-values.ts";
import { closed, leaseNotFound } from "./refusals.ts";
import type * as contract from "./store.ts";
import { checkGet, checkLeaseTtl, checkRangeRequest, checkRevision, checkTxn, checkWatch } from "./validate.ts";
import { WatchHub } from "./watch/watch-hub.ts";

/** Performs calls on tables that may live in another thread. */
export interface TableHost {
  /** Answers once the call is durable; a commit has been published before. Calls take effect in the order made. */
  call<K extends CallName>(name: K, args: Calls[K]["args"]): Promise<Calls[K]["result"]>;
  /** Finishes the calls made, then releases everything. */
  close(): Promise<void>;
}

/** Whom a host tells what happens to its tables. */
export interface TableHostOwner {
  /** To be called for each commit, in order, once it is durable. */
  publish(commit: Commit): void;
  /** To be called when the tables are lost for good. */
  fail(failure: StoreError): void;
}

export interface TableStoreOptions {
  readonly kind: contract.StoreStatus["kind"];
  readonly clock: Clock;
  readonly logger?: StoreLogger | undefined;
  /** What the tables held when they were opened. */
  readonly revision: number;
  readonly leases: readonly GrantedLease[];
  readonly host: (owner: TableHostOwner) => TableHost;
}

/** The part that all stores over tables share: checks, watches, and the time of leases. */
export class TableStore implements contract.Store {
  readonly #kind: contract.StoreStatus["kind"];
  readonly #host: TableHost;
  readonly #hub: WatchHub;
  readonly #timers: LeaseTimers;
  #closing: Promise<void> | undefined;

  constructor(options: TableStoreOptions) {
    this.#kind = options.kind;
    this.#hub = new WatchHub({
      revision: options.revision,
      readHistory: (query) => this.#call("history", query),
    });
    this.#timers = new LeaseTimers({
      clock: options.clock,
      expire: (lease) => this.#expire(lease),
      onError: (lease, error) => options.logger?.warn(`Cannot expire lease ${lease}, trying again: ${String(error)}`),
    });
    for (const lease of options.leases) this.#timers.start(lease);
    this.#host = options.host({
      publish: (commit) => this.#hub.publish(commit),
      fail: (failure) => this.#fail(failure),
    });
  }

  async get(key: string, options: contract.GetOptions = {}): Promise<contract.GetResult> {
    checkGet(key, options);
    return await this.#call("get", { key, ...options });
  }

  async range(options: contract.RangeOptions): Promise<contract.RangeResult> {
    checkRangeRequest(options);
    return await this.#call("range", options);
  }

  async txn(txn: contract.Txn): Promise<contract.TxnResult> {
    checkTxn(txn);
    return await this.#call("txn", withOwnValues(txn));
  }

  watch(options: contract.WatchOptions): AsyncIterable<contract.WatchBatch> {
    checkWatch(options);
    this.assertOpen();
    return this.#hub.watch(options);
  }

  async grantLease(ttlMs: number): Promise<contract.LeaseId> {
    checkLeaseTtl(ttlMs);
    const lease = await this.#call("grantLease", { ttlMs });
    if (!this.#closing) this.#timers.start({ lease, ttlMs });
    return lease;
  }

  // oxlint-disable-next-line typescript/require-await -- a rejection, as everywhere in the contract, not a throw
  async keepAlive(lease: contract.LeaseId): Promise<number> {
    this.assertOpen();
    const ttlMs = this.#timers.renew(lease);
    if (ttlMs === undefined) throw leaseNotFound(lease);
    return ttlMs;
  }

  async revokeLease(lease: contract.LeaseId): Promise<void> {
    await this.#call("revokeLease", { lease });
    this.#timers.stop(lease);
  }

  async leaseTimeToLive(lease: contract.LeaseId): Promise<contract.LeaseStatus> {
    const keys = await this.#call("keysOfLease", { lease });
    const time = this.#timers.remaining(lease);
    if (time === undefined) throw leaseNotFound(lease);
    return { ...time, keys };
  }

  async compact(revision: number): Promise<void> {
    checkRevision(revision);
    await this.#call("compact", { revision });
  }

  async status(): Promise<contract.StoreStatus> {
    return { kind: this.#kind, ...(await this.#call("status", undefined)) };
  }

  /** Throws `CLOSED` once the store is closed. */
  protected assertOpen(): void {
    if (this.#closing) throw closed();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#timers.stopAll();
    await this.#host.close();
    this.#hub.close(closed());
  }

  #call<K extends CallName>(name: K, args: Calls[K]["args"]): Promise<Calls[K]["result"]> {
    return this.#closing ? Promise.reject(closed()) : this.#host.call(name, args);
  }

  /** Watches end with the failure; the host rejects all calls with it. */
  #fail(failure: StoreError): void {
    this.#timers.stopAll();
    this.#hub.close(failure);
  }

  /** Revokes a lease whose time is over; that it is gone already is as good. */
  async #expire(lease: contract.LeaseId): Promise<void> {
    try {
      await this.#call("revokeLease", { lease });
    } catch (error) {
      if (!isStoreError(error, "LEASE_NOT_FOUND", "CLOSED")) throw error;
    }
  }
}
