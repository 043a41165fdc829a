import type { KeyRange } from "../keys.ts";
import type { KeyValue, LeaseId } from "../store.ts";

/** One write of one key, as the history keeps it. `previous` is what the key was before, when it existed. */
export interface Change {
  readonly type: "put" | "delete";
  readonly kv: KeyValue;
  readonly previous?: KeyValue;
}

/** What one transaction changed. */
export interface Commit {
  readonly revision: number;
  readonly changes: readonly Change[];
}

export interface ScanOptions {
  /** At most so many keys; 0 is no limit. */
  readonly limit: number;
  readonly keysOnly: boolean;
  /** As of this revision; undefined is now, with the writes of the running transaction. */
  readonly revision: number | undefined;
}

export interface HistoryQuery {
  readonly range: KeyRange;
  /** Above compactRevision. */
  readonly fromRevision: number;
  /** About how much to answer at most; at least one transaction. */
  readonly maxBytes: number;
  /** Whether each change needs its `previous`. */
  readonly prevKv: boolean;
}

/** A piece of the history for a watch: whole transactions. */
export interface HistoryPage {
  readonly commits: readonly Commit[];
  /** The page tells everything up to here. */
  readonly through: number;
}

export interface GrantedLease {
  readonly lease: LeaseId;
  readonly ttlMs: number;
}

/**
 * Where versions live: the seam between the rules of the store (transactions, revisions, leases; written once) and
 * its media. Synchronous: a transaction runs on it from start to end. Arguments have been checked by the caller.
 */
export interface Tables {
  /** Of the last transaction that changed something; 1 in an empty store, as in etcd. */
  readonly revision: number;
  readonly compactRevision: number;
  readonly sizeBytes: number | undefined;

  get(key: string, revision: number | undefined): KeyValue | undefined;
  /** In key order. */
  scan(range: KeyRange, options: ScanOptions): KeyValue[];
  count(range: KeyRange, revision: number | undefined): number;

  /** Records a write at `kv.modRevision`; reads without a revision see it at once. */
  write(change: Change): void;
  /** Makes `revision` the store's: ends the transaction that wrote at it. */
  advance(revision: number): void;
  /** Changes of committed transactions, in order. */
  history(query: HistoryQuery): HistoryPage;
  /** Drops every version that no read at `revision` or later can see. */
  compact(revision: number): void;

  addLease(ttlMs: number): LeaseId;
  hasLease(lease: LeaseId): boolean;
  removeLease(lease: LeaseId): void;
  leases(): GrantedLease[];
  /** In key order. */
  keysOfLease(lease: LeaseId): string[];
}
