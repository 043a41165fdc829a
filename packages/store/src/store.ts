import type { KeyRange } from "./keys.ts";

/** Names a lease. Opaque: made by {@link Store.grantLease}, never by hand. */
export type LeaseId = string & { readonly __leaseId: never };

/** One key as it stood at some revision. Treat `value` as read-only: it may be shared with other readers. */
export interface KeyValue {
  readonly key: string;
  readonly value: Uint8Array;
  /** Revision of the transaction that created the key (after its last deletion). */
  readonly createRevision: number;
  /** Revision of the transaction that last wrote the key. */
  readonly modRevision: number;
  /** Writes since creation: 1 for a new key. */
  readonly version: number;
  /** The key is deleted when this lease ends. */
  readonly lease?: LeaseId;
}

/** How a {@link Compare} relates the stored to the given: `stored <is> given`. */
export type Relation = "=" | "!=" | "<" | ">";

/**
 * A condition of a transaction. An absent key has createRevision, modRevision and version 0 and no lease;
 * a comparison with its value is always false. Values are ordered bytewise.
 */
export type Compare =
  | {
      readonly key: string;
      readonly target: "createRevision" | "modRevision" | "version";
      readonly is: Relation;
      readonly to: number;
    }
  | { readonly key: string; readonly target: "value"; readonly is: Relation; readonly to: Uint8Array }
  | { readonly key: string; readonly target: "lease"; readonly is: "=" | "!="; readonly to: LeaseId | undefined };

/** Writes a key. Without `lease` the key is detached from the lease it may have had. */
export interface PutOp {
  readonly type: "put";
  readonly key: string;
  readonly value: Uint8Array;
  readonly lease?: LeaseId;
  /** Answer the previous state. Default false. */
  readonly prevKv?: boolean;
}

/** Deletes one key; deleting an absent key is no error. */
export interface DeleteOp {
  readonly type: "delete";
  readonly key: string;
  /** Answer what was deleted. Default false. */
  readonly prevKv?: boolean;
}

/** Deletes every key of a range. */
export interface DeleteRangeOp extends KeyRange {
  readonly type: "deleteRange";
  /** Answer what was deleted. Default false. */
  readonly prevKv?: boolean;
}

/** Reads one key inside the transaction; sees the writes of the operations before it. */
export interface GetOp {
  readonly type: "get";
  readonly key: string;
}

/** Reads a range inside the transaction; sees the writes of the operations before it. */
export interface RangeOp extends KeyRange {
  readonly type: "range";
  readonly limit?: number;
  readonly keysOnly?: boolean;
  readonly countOnly?: boolean;
}

/** One step of a transaction. */
export type Op = PutOp | DeleteOp | DeleteRangeOp | GetOp | RangeOp;

/** One result per operation, in the same order. */
export type OpResult =
  | { readonly type: "put"; readonly prevKv?: KeyValue }
  | { readonly type: "delete" | "deleteRange"; readonly deleted: number; readonly prevKvs?: readonly KeyValue[] }
  | { readonly type: "get"; readonly kv: KeyValue | undefined }
  | { readonly type: "range"; readonly kvs: readonly KeyValue[]; readonly more: boolean; readonly count: number };

/**
 * When all of `compare` hold, `success` happens, else `failure`: whole and at once, or not at all.
 *
 * As in etcd, at most 128 comparisons and 128 operations a branch, 1.5 MiB in all, and a branch may not write one
 * key twice: else `INVALID`.
 */
export interface Txn {
  /** Default: none, so `success` happens. */
  readonly compare?: readonly Compare[];
  readonly success: readonly Op[];
  /** Default: nothing. */
  readonly failure?: readonly Op[];
}

/** What a transaction did. */
export interface TxnResult {
  /** Whether the comparisons held. */
  readonly succeeded: boolean;
  /** The store's revision after the transaction. Unchanged when nothing was written. */
  readonly revision: number;
  /** The results of the branch that was taken. */
  readonly results: readonly OpResult[];
}

/** How to read one key. */
export interface GetOptions {
  /** Read as of this revision. Default: the newest. */
  readonly revision?: number;
}

/** One key as it was read. */
export interface GetResult {
  readonly kv: KeyValue | undefined;
  /** The store's newest revision at the time of the read, also when an older one was asked for. */
  readonly revision: number;
}

/** Which keys to read, and what of them. */
export interface RangeOptions extends KeyRange {
  /** At most so many keys; 0 is no limit. Default 0. */
  readonly limit?: number;
  /** Read as of this revision. Default: the newest. */
  readonly revision?: number;
  /** Leave values empty. Default false. */
  readonly keysOnly?: boolean;
  /** Only count; `kvs` stays empty. Default false. */
  readonly countOnly?: boolean;
}

/** The keys of a range, or the first of them. */
export interface RangeResult {
  /** In key order (UTF-8 bytes). */
  readonly kvs: readonly KeyValue[];
  /** Whether `limit` cut keys off. The next page starts at `keyAfter(last.key)`, at the same revision. */
  readonly more: boolean;
  /** Keys in the range, whatever `limit` is. */
  readonly count: number;
  /** The store's newest revision at the time of the read, also when an older one was asked for. */
  readonly revision: number;
}

/** One key that a transaction changed. */
export interface WatchEvent {
  readonly type: "put" | "delete";
  /** After a deletion: the key, an empty value, modRevision of the deletion, createRevision and version 0. */
  readonly kv: KeyValue;
  /** The state before, when asked for and there was one. */
  readonly prevKv?: KeyValue;
}

/** What one transaction changed in the watched range; whole, never split over batches. */
export interface WatchBatch {
  /** Everything up to and including this revision has been delivered: resume at `revision + 1`. */
  readonly revision: number;
  /** In the order of the operations. Empty: nothing happened in the range up to `revision` (progress). */
  readonly events: readonly WatchEvent[];
}

/** Which changes to deliver, and from when on. */
export interface WatchOptions extends KeyRange {
  /**
   * The first revision wanted. Default: what is committed from now on. To miss nothing after a read, pass the
   * read's `revision + 1`.
   */
  readonly fromRevision?: number;
  /** Ends the watch: the iteration finishes without an error. */
  readonly signal?: AbortSignal;
  /** Deliver the state before each event. Default false. */
  readonly prevKv?: boolean;
  /**
   * Deliver batches without events too: one when the watch has caught up with the store, later ones now and then
   * while others write outside the range. Default false.
   */
  readonly progress?: boolean;
}

/** A lease as it stands. */
export interface LeaseStatus {
  /** As granted. */
  readonly ttlMs: number;
  /** Until it ends unless kept alive. */
  readonly remainingMs: number;
  /** What it holds, in key order. */
  readonly keys: readonly string[];
}

/** A store as it stands. */
export interface StoreStatus {
  readonly kind: "memory" | "sqlite" | "etcd";
  readonly revision: number;
  /** Reads work at this revision and above, watches above it. 0: nothing was compacted. */
  readonly compactRevision: number;
  /** Bytes that the data takes, as far as the store knows; undefined when it does not. */
  readonly sizeBytes?: number;
}

/**
 * A revisioned key-value store in etcd's shape. Every transaction that changes something takes the next revision;
 * reads are linearizable: they see every transaction acknowledged before they began.
 *
 * Limits, the same for every implementation: keys 1 to 4,096 bytes of UTF-8 without NUL, values up to 1 MiB. All
 * failures are {@link StoreError}s: methods reject, `watch` throws for what is wrong with the call itself.
 */
export interface Store {
  /** Reads one key. `COMPACTED` or `FUTURE_REVISION` for a revision that is not kept any more, or not there yet. */
  get(key: string, options?: GetOptions): Promise<GetResult>;

  /** Reads the keys of a range, all at one revision. Fails as {@link get} does. */
  range(options: RangeOptions): Promise<RangeResult>;

  /** Resolves once the transaction is durable. After `UNAVAILABLE` it may or may not have happened: read to learn. */
  txn(txn: Txn): Promise<TxnResult>;

  /**
   * Changes in a key range, in revision order, without gap or duplicate, delivered only after the commit. At least
   * 10,000 revisions are kept; from an older one the iteration throws `COMPACTED`. A consumer may be slow: a bounded
   * number of batches is buffered for it, beyond that they are read again from the history, and only when that was
   * compacted meanwhile does it see `COMPACTED`. Ends by `break`, by the signal, or by `CLOSED` with the store.
   * To be iterated once.
   */
  watch(options: WatchOptions): AsyncIterable<WatchBatch>;

  /**
   * Begins a lease of `ttlMs` milliseconds. When it ends, all keys attached to it are deleted in one transaction.
   * A store may lengthen the time (etcd: to whole seconds). After a restart each lease has its full time again.
   */
  grantLease(ttlMs: number): Promise<LeaseId>;

  /** Gives the lease its full time again; answers that time in milliseconds. `LEASE_NOT_FOUND` when it has ended. */
  keepAlive(lease: LeaseId): Promise<number>;

  /** Ends the lease now, deletes its keys. `LEASE_NOT_FOUND` when it has ended. */
  revokeLease(lease: LeaseId): Promise<void>;

  /** How long the lease has left, and what it holds. `LEASE_NOT_FOUND` when it has ended. */
  leaseTimeToLive(lease: LeaseId): Promise<LeaseStatus>;

  /** Forgets history before `revision`. Stores also compact by themselves, keeping at least 10,000 revisions. */
  compact(revision: number): Promise<void>;

  /** Where the store stands; rejects when it cannot be reached, so it serves as a health check. */
  status(): Promise<StoreStatus>;

  /** Finishes what was asked, then releases everything. Later calls, and watches, end with `CLOSED`. Repeatable. */
  close(): Promise<void>;
}
