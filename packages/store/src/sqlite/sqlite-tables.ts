import { statSync } from "node:fs";
import type { DatabaseSync, SQLInputValue } from "node:sqlite";

import { END_OF_KEYS, type KeyRange } from "../keys.ts";
import type { Change, Commit, GrantedLease, HistoryPage, HistoryQuery, ScanOptions, Tables } from "../mvcc/tables.ts";
import type { KeyValue, LeaseId } from "../store.ts";
import { checksumOf, type HistoryRow, toKeyValue, toUncheckedKeyValue } from "./row.ts";
import { prepareStatements, type Statements } from "./statements.ts";

/** What a change takes beside its key and value, about. */
const CHANGE_OVERHEAD_BYTES = 64;

/** Versions in a SQLite database. Whoever calls wraps transactions around it; after a rollback, {@link reload}. */
export class SqliteTables implements Tables {
  readonly #path: string;
  readonly #sql: Statements;
  #revision = 0;
  #compactRevision = 0;
  #flushedRevision = 0;

  constructor(database: DatabaseSync, path: string) {
    this.#path = path;
    this.#sql = prepareStatements(database);
    this.reload();
  }

  get revision(): number {
    return this.#revision;
  }

  get compactRevision(): number {
    return this.#compactRevision;
  }

  get sizeBytes(): number {
    // By name, never opened: closing a second descriptor would drop SQLite's POSIX locks.
    return ["", "-wal"].reduce(
      (bytes, suffix) => bytes + (statSync(this.#path + suffix, { throwIfNoEntry: false })?.size ?? 0),
      0,
    );
  }

  /** Forgets what was counted in a transaction that was rolled back. */
  reload(): void {
    this.#revision = this.#sql.getMeta.get("revision")!["value"] as number;
    this.#flushedRevision = this.#revision;
    this.#compactRevision = this.#sql.getMeta.get("compactRevision")!["value"] as number;
  }

  get(key: string, revision: number | undefined): KeyValue | undefined {
    const row = revision === undefined ? this.#sql.getLive.get(key) : this.#sql.getAt.get(key, revision);
    return row === undefined || row["deleted"] === 1 ? undefined : toKeyValue(asRow(row));
  }

  scan(range: KeyRange, { limit, keysOnly, revision }: ScanOptions): KeyValue[] {
    const bounds = [range.start, upperBound(range)] as const;
    const max = limit === 0 ? -1 : limit;
    const [live, at] = keysOnly ? [this.#sql.scanKeys, this.#sql.scanKeysAt] : [this.#sql.scan, this.#sql.scanAt];
    const rows = revision === undefined ? live.all(...bounds, max) : at.all(...bounds, revision, max);
    return rows.map((row) => (keysOnly ? toUncheckedKeyValue(asRow(row)) : toKeyValue(asRow(row))));
  }

  count(range: KeyRange, revision: number | undefined): number {
    const bounds = [range.start, upperBound(range)] as const;
    const row = revision === undefined ? this.#sql.count.get(...bounds) : this.#sql.countAt.get(...bounds, revision);
    return row!["count"] as number;
  }

  write({ type, kv }: Change): void {
    const lease = kv.lease === undefined ? null : Number(kv.lease);
    const deleted = type === "delete" ? 1 : 0;
    const checksum = checksumOf({ ...kv, revision: kv.modRevision, lease, deleted });
    const { lastInsertRowid } = this.#sql.insertHistory.run(
      kv.modRevision,
      kv.key,
      kv.value,
      kv.createRevision,
      kv.version,
      lease,
      deleted,
      checksum,
    );
    if (type === "delete") this.#sql.deleteLive.run(kv.key);
    else this.#sql.putLive.run(kv.key, lastInsertRowid);
  }

  advance(revision: number): void {
    this.#revision = revision;
  }

  /**
   * Writes down the revision: once before each COMMIT, not once a transaction, and not when nothing changed, so that
   * a comparison that failed costs no fsync.
   */
  flush(): void {
    if (this.#revision === this.#flushedRevision) return;
    this.#sql.setMeta.run(this.#revision, "revision");
    this.#flushedRevision = this.#revision;
  }

  history({ range, fromRevision, maxBytes, prevKv }: HistoryQuery): HistoryPage {
    const commits: { revision: number; changes: Change[] }[] = [];
    let bytes = 0;
    for (const found of this.#sql.history.iterate(fromRevision, range.start, upperBound(range))) {
      const row = asRow(found);
      const last = commits.at(-1);
      if (last?.revision === row.revision) last.changes.push(this.#toChange(row, prevKv));
      // Pages end between transactions, never within one.
      else if (bytes >= maxBytes) return { commits, through: last!.revision };
      else commits.push({ revision: row.revision, changes: [this.#toChange(row, prevKv)] });
      bytes += row.key.length + row.value.length + CHANGE_OVERHEAD_BYTES;
    }
    return { commits: commits satisfies Commit[], through: this.#revision };
  }

  compact(revision: number): void {
    this.#sql.dropSuperseded.run(this.#compactRevision, revision);
    this.#sql.dropDeleted.run(this.#compactRevision, revision);
    this.#sql.setMeta.run(revision, "compactRevision");
    this.#compactRevision = revision;
  }

  addLease(ttlMs: number): LeaseId {
    return String(this.#sql.addLease.run(ttlMs).lastInsertRowid) as LeaseId;
  }

  hasLease(lease: LeaseId): boolean {
    return this.#sql.getLease.get(leaseNumber(lease)) !== undefined;
  }

  removeLease(lease: LeaseId): void {
    this.#sql.deleteLease.run(leaseNumber(lease));
  }

  leases(): GrantedLease[] {
    return this.#sql.allLeases.all().map((row) => ({
      lease: String(row["id"]) as LeaseId,
      ttlMs: row["ttlMs"] as number,
    }));
  }

  keysOfLease(lease: LeaseId): string[] {
    return this.#sql.keysOfLease.all(leaseNumber(lease)).map((row) => row["key"] as string);
  }

  #toChange(row: HistoryRow, prevKv: boolean): Change {
    const kv = toKeyValue(row);
    const type = row.deleted === 1 ? "delete" : "put";
    const previous = prevKv ? this.get(row.key, row.revision - 1) : undefined;
    return previous ? { type, kv, previous } : { type, kv };
  }
}

function asRow(row: Record<string, unknown>): HistoryRow {
  return row as unknown as HistoryRow;
}

/** In SQLite every BLOB comes after every TEXT, so an empty one is beyond all keys. */
function upperBound(range: KeyRange): SQLInputValue {
  return range.end === END_OF_KEYS ? new Uint8Array(0) : range.end;
}

/** Lease ids of other stores, or made up by hand, name no row. */
function leaseNumber(lease: LeaseId): number {
  return /^[1-9]\d{0,14}$/.test(lease) ? Number(lease) : 0;
}
