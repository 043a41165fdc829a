import { isStoreError, type StoreError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { compacted, futureRevision } from "../refusals.ts";
import type { GetResult, LeaseId, RangeOptions, RangeResult, StoreStatus, Txn, TxnResult } from "../store.ts";
import type { GrantedLease, HistoryPage, HistoryQuery, Tables } from "./tables.ts";
import { applyRevoke, applyTxn, type Outcome, readRange } from "./transaction.ts";

/** Compaction runs once so many revisions more than the retained ones have gathered. */
const COMPACTION_SLACK = 100;

/** What a store asks of its tables, wherever these live. Plain data: it crosses threads. */
export interface Calls {
  get: { args: { key: string; revision?: number }; result: GetResult };
  range: { args: RangeOptions; result: RangeResult };
  history: { args: HistoryQuery; result: HistoryPage };
  keysOfLease: { args: { lease: LeaseId }; result: readonly string[] };
  leases: { args: undefined; result: readonly GrantedLease[] };
  status: { args: undefined; result: Omit<StoreStatus, "kind"> };
  txn: { args: Txn; result: TxnResult };
  grantLease: { args: { ttlMs: number }; result: LeaseId };
  revokeLease: { args: { lease: LeaseId }; result: undefined };
  compact: { args: { revision: number }; result: undefined };
}

export type CallName = keyof Calls;

/** One call with its arguments. */
export type Call = { [K in CallName]: { readonly name: K; readonly args: Calls[K]["args"] } }[CallName];

const WRITES: ReadonlySet<CallName> = new Set<CallName>(["txn", "grantLease", "revokeLease", "compact"]);

/** Whether a call may change something, and so has to be made durable before it is answered. */
export function isWrite(name: CallName): boolean {
  return WRITES.has(name);
}

type Handlers = { [K in CallName]: (tables: Tables, args: Calls[K]["args"]) => Outcome<Calls[K]["result"]> };

const handlers: Handlers = {
  get(tables, { key, revision }) {
    checkReadable(tables, revision);
    return { result: { kv: tables.get(key, revision), revision: tables.revision } };
  },
  range(tables, options) {
    checkReadable(tables, options.revision);
    return { result: { ...readRange(tables, options), revision: tables.revision } };
  },
  history(tables, query) {
    if (query.fromRevision <= tables.compactRevision) throw compacted(query.fromRevision, tables.compactRevision);
    return { result: tables.history(query) };
  },
  keysOfLease: (tables, { lease }) => ({ result: tables.keysOfLease(lease) }),
  leases: (tables) => ({ result: tables.leases() }),
  status({ revision, compactRevision, sizeBytes }) {
    return { result: { revision, compactRevision, ...(sizeBytes !== undefined && { sizeBytes }) } };
  },
  txn(tables, txn) {
    const outcome = applyTxn(tables, txn);
    compactOld(tables);
    return outcome;
  },
  grantLease: (tables, { ttlMs }) => ({ result: tables.addLease(ttlMs) }),
  revokeLease: (tables, { lease }) => applyRevoke(tables, lease),
  compact(tables, { revision }) {
    if (revision > tables.revision) throw futureRevision(revision, tables.revision);
    if (revision <= tables.compactRevision) throw compacted(revision, tables.compactRevision);
    tables.compact(revision);
    return { result: undefined };
  },
};

/** Performs one call on the tables. */
export function perform<K extends CallName>(
  tables: Tables,
  name: K,
  args: Calls[K]["args"],
): Outcome<Calls[K]["result"]> {
  return handlers[name](tables, args);
}

/** Whether a call was refused before it changed anything, so that its neighbours in a group are unharmed. */
export function isRefusal(error: unknown): error is StoreError {
  return isStoreError(error, "INVALID", "COMPACTED", "FUTURE_REVISION", "LEASE_NOT_FOUND");
}

function compactOld(tables: Tables): void {
  const oldest = tables.revision - LIMITS.retainedRevisions;
  if (oldest - tables.compactRevision >= COMPACTION_SLACK) tables.compact(oldest);
}

function checkReadable(tables: Tables, revision: number | undefined): void {
  if (revision === undefined) return;
  if (revision > tables.revision) throw futureRevision(revision, tables.revision);
  if (revision < tables.compactRevision) throw compacted(revision, tables.compactRevision);
}
