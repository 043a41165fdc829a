import { compareKeys, END_OF_KEYS, inRange, type KeyRange } from "../keys.ts";
import type { Change, Commit, GrantedLease, HistoryPage, HistoryQuery, ScanOptions, Tables } from "../mvcc/tables.ts";
import type { KeyValue, LeaseId } from "../store.ts";

const NOTHING = new Uint8Array(0);

/** Versions in memory: per key the retained writes, oldest first, and beside them one log of all commits. */
export class MemoryTables implements Tables {
  readonly sizeBytes = undefined;
  /** All keys with a retained version, sorted, deleted ones included. */
  readonly #keys: string[] = [];
  readonly #versions = new Map<string, Change[]>();
  /** The commits of revisions compactRevision + 1 to revision, one each (from 2 on: revision 1 is the empty store). */
  readonly #log: Commit[] = [];
  #pending: Change[] = [];
  #revision = 1;
  #compactRevision = 0;
  readonly #leases = new Map<LeaseId, { readonly ttlMs: number; readonly keys: Set<string> }>();
  #lastLease = 0;

  get revision(): number {
    return this.#revision;
  }

  get compactRevision(): number {
    return this.#compactRevision;
  }

  get(key: string, revision: number | undefined): KeyValue | undefined {
    const versions = this.#versions.get(key);
    const change = revision === undefined ? versions?.at(-1) : versions?.findLast((v) => v.kv.modRevision <= revision);
    return change?.type === "put" ? change.kv : undefined;
  }

  scan(range: KeyRange, options: ScanOptions): KeyValue[] {
    const found: KeyValue[] = [];
    const [from, to] = this.#span(range);
    for (let index = from; index < to; index++) {
      const kv = this.get(this.#keys[index]!, options.revision);
      if (kv === undefined) continue;
      found.push(options.keysOnly ? { ...kv, value: NOTHING } : kv);
      if (found.length === options.limit) break;
    }
    return found;
  }

  count(range: KeyRange, revision: number | undefined): number {
    return this.scan(range, { limit: 0, keysOnly: false, revision }).length;
  }

  write(change: Change): void {
    const { key } = change.kv;
    const versions = this.#versions.get(key);
    if (versions) versions.push(change);
    else {
      this.#versions.set(key, [change]);
      this.#keys.splice(this.#position(key), 0, key);
    }
    if (change.previous?.lease) this.#leases.get(change.previous.lease)?.keys.delete(key);
    if (change.kv.lease) this.#leases.get(change.kv.lease)?.keys.add(key);
    this.#pending.push(change);
  }

  advance(revision: number): void {
    this.#revision = revision;
    this.#log.push({ revision, changes: this.#pending });
    this.#pending = [];
  }

  history({ range, fromRevision, maxBytes }: HistoryQuery): HistoryPage {
    const commits: Commit[] = [];
    let bytes = 0;
    let revision = Math.max(fromRevision, this.#logStart());
    for (; revision <= this.#revision && bytes < maxBytes; revision++) {
      const changes = this.#log[revision - this.#logStart()]!.changes.filter(({ kv }) => inRange(kv.key, range));
      if (changes.length > 0) commits.push({ revision, changes });
      for (const { kv } of changes) bytes += kv.key.length + kv.value.length;
    }
    return { commits, through: revision - 1 };
  }

  compact(revision: number): void {
    const dropped = this.#log.splice(0, revision + 1 - this.#logStart());
    const keys = new Set(dropped.flatMap(({ changes }) => changes.map(({ kv }) => kv.key)));
    for (const key of keys) this.#forget(key, revision);
    this.#compactRevision = revision;
  }

  addLease(ttlMs: number): LeaseId {
    const lease = String(++this.#lastLease) as LeaseId;
    this.#leases.set(lease, { ttlMs, keys: new Set() });
    return lease;
  }

  hasLease(lease: LeaseId): boolean {
    return this.#leases.has(lease);
  }

  removeLease(lease: LeaseId): void {
    this.#leases.delete(lease);
  }

  leases(): GrantedLease[] {
    return Array.from(this.#leases, ([lease, { ttlMs }]) => ({ lease, ttlMs }));
  }

  keysOfLease(lease: LeaseId): string[] {
    return [...(this.#leases.get(lease)?.keys ?? [])].toSorted(compareKeys);
  }

  /** Revision of the first entry of the log. */
  #logStart(): number {
    return Math.max(this.#compactRevision, 1) + 1;
  }

  /** Drops the versions of a key that nobody can read at `revision` or later. */
  #forget(key: string, revision: number): void {
    const versions = this.#versions.get(key);
    if (versions === undefined) return;
    const visible = versions.findLastIndex((version) => version.kv.modRevision <= revision);
    const drop = versions[visible]?.type === "delete" ? visible + 1 : visible;
    if (drop > 0) versions.splice(0, drop);
    if (versions.length > 0) return;
    this.#versions.delete(key);
    this.#keys.splice(this.#position(key), 1);
  }

  #span(range: KeyRange): [from: number, to: number] {
    return [this.#position(range.start), range.end === END_OF_KEYS ? this.#keys.length : this.#position(range.end)];
  }

  /** Index of the first key that is not before `key`. */
  #position(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareKeys(this.#keys[middle]!, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
