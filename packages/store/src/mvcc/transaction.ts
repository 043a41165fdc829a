import { leaseNotFound } from "../refusals.ts";
import type { Compare, KeyValue, LeaseId, Op, OpResult, Relation, Txn, TxnResult } from "../store.ts";
import type { Change, Commit, Tables } from "./tables.ts";

const NOTHING = new Uint8Array(0);

/** What a writing call did: its answer, and the commit when it changed something. */
export interface Outcome<T> {
  readonly result: T;
  readonly commit?: Commit;
}

/** Runs a checked transaction. Fails before its first write or not at all, unless the medium itself fails. */
export function applyTxn(tables: Tables, txn: Txn): Outcome<TxnResult> {
  const succeeded = (txn.compare ?? []).every((comparison) => holds(tables, comparison));
  const ops = succeeded ? txn.success : (txn.failure ?? []);
  checkLeases(tables, ops);
  const writer = new Writer(tables);
  const results = ops.map((op) => applyOp(tables, writer, op));
  const commit = writer.finish();
  return { result: { succeeded, revision: tables.revision, results }, ...(commit && { commit }) };
}

/** Deletes the lease and its keys, as one transaction. */
export function applyRevoke(tables: Tables, lease: LeaseId): Outcome<undefined> {
  if (!tables.hasLease(lease)) throw leaseNotFound(lease);
  const writer = new Writer(tables);
  for (const key of tables.keysOfLease(lease)) writer.remove(key);
  tables.removeLease(lease);
  const commit = writer.finish();
  return { result: undefined, ...(commit && { commit }) };
}

function checkLeases(tables: Tables, ops: readonly Op[]): void {
  for (const op of ops) {
    if (op.type === "put" && op.lease !== undefined && !tables.hasLease(op.lease)) throw leaseNotFound(op.lease);
  }
}

function holds(tables: Tables, comparison: Compare): boolean {
  const kv = tables.get(comparison.key, undefined);
  switch (comparison.target) {
    case "value":
      return kv !== undefined && relates(Buffer.compare(kv.value, comparison.to), comparison.is);
    case "lease":
      return (kv?.lease === comparison.to) === (comparison.is === "=");
    default:
      return relates((kv?.[comparison.target] ?? 0) - comparison.to, comparison.is);
  }
}

function relates(difference: number, relation: Relation): boolean {
  if (relation === "<") return difference < 0;
  if (relation === ">") return difference > 0;
  return (difference === 0) === (relation === "=");
}

function applyOp(tables: Tables, writer: Writer, op: Op): OpResult {
  switch (op.type) {
    case "put": {
      const previous = writer.put(op.key, op.value, op.lease);
      return op.prevKv === true && previous ? { type: "put", prevKv: previous } : { type: "put" };
    }
    case "delete": {
      const previous = writer.remove(op.key);
      return deletion("delete", previous ? [previous] : [], op.prevKv);
    }
    case "deleteRange": {
      const victims = tables.scan(op, { limit: 0, keysOnly: true, revision: undefined });
      const deleted = victims.map((victim) => writer.remove(victim.key)).filter((previous) => previous !== undefined);
      return deletion("deleteRange", deleted, op.prevKv);
    }
    case "get":
      return { type: "get", kv: tables.get(op.key, undefined) };
    default:
      return { type: "range", ...readRange(tables, { ...op, revision: undefined }) };
  }
}

function deletion(type: "delete" | "deleteRange", deleted: readonly KeyValue[], prevKv: boolean | undefined): OpResult {
  return { type, deleted: deleted.length, ...(prevKv === true && { prevKvs: deleted }) };
}

interface RangeQuery {
  readonly start: string;
  readonly end: string;
  readonly limit?: number;
  readonly keysOnly?: boolean;
  readonly countOnly?: boolean;
  readonly revision?: number | undefined;
}

/** What `range` answers, in a transaction or alone. */
export function readRange(
  tables: Tables,
  query: RangeQuery,
): { kvs: readonly KeyValue[]; more: boolean; count: number } {
  const { limit = 0, keysOnly = false, countOnly = false, revision } = query;
  if (countOnly) return { kvs: [], more: false, count: tables.count(query, revision) };
  const kvs = tables.scan(query, { limit, keysOnly, revision });
  const count = limit === 0 || kvs.length < limit ? kvs.length : tables.count(query, revision);
  return { kvs, more: count > kvs.length, count };
}

/** Gives the writes of one transaction their revision and collects them. */
class Writer {
  readonly #tables: Tables;
  readonly #revision: number;
  readonly #changes: Change[] = [];

  constructor(tables: Tables) {
    this.#tables = tables;
    this.#revision = tables.revision + 1;
  }

  put(key: string, value: Uint8Array, lease: LeaseId | undefined): KeyValue | undefined {
    const previous = this.#tables.get(key, undefined);
    const kv = {
      key,
      value,
      createRevision: previous?.createRevision ?? this.#revision,
      modRevision: this.#revision,
      version: (previous?.version ?? 0) + 1,
      ...(lease !== undefined && { lease }),
    };
    this.#write({ type: "put", kv, ...(previous && { previous }) });
    return previous;
  }

  remove(key: string): KeyValue | undefined {
    const previous = this.#tables.get(key, undefined);
    if (previous === undefined) return undefined;
    const kv = { key, value: NOTHING, createRevision: 0, modRevision: this.#revision, version: 0 };
    this.#write({ type: "delete", kv, previous });
    return previous;
  }

  finish(): Commit | undefined {
    if (this.#changes.length === 0) return undefined;
    this.#tables.advance(this.#revision);
    return { revision: this.#revision, changes: this.#changes };
  }

  #write(change: Change): void {
    this.#tables.write(change);
    this.#changes.push(change);
  }
}
