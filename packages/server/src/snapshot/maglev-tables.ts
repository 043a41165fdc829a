import { createBuilder, type TableBuilder } from "@fiberlb/maglev";

import { rotation, tableMembers } from "../data/rotation.ts";
import { diffUnits } from "../data/unit-diff.ts";
import type { BackendHealth, BackendUnit, MaglevTableUnit, PoolUnit, Snapshot, Units } from "./snapshot.ts";

/** What {@link MaglevTables} needs. */
export interface MaglevTablesOptions {
  /** Takes a table that differs from the pool's last one. */
  readonly onTable: (table: MaglevTableUnit) => void;
}

interface PoolTable {
  readonly pool: PoolUnit;
  readonly builder: TableBuilder;
  /** Ids and weights that the last table was built of. */
  readonly builtOf: string;
}

/**
 * Keeps the Maglev table of every pool that needs one: built from the backends of the tier that serves, in shared
 * memory, anew when that set or a weight changes. A verdict changes no table, unless it turns a pool to its backups or
 * back. The same backends give the same table on every node, because a table depends on ids, weights and size alone.
 */
export class MaglevTables {
  readonly #options: MaglevTablesOptions;
  readonly #pools = new Map<string, PoolTable>();
  readonly #poolOf = new Map<string, string>();
  readonly #health = new Map<string, BackendHealth>();
  readonly #stale = new Set<string>();
  #units: Units = new Map();
  #isStopped = false;

  constructor(options: MaglevTablesOptions) {
    this.#options = options;
  }

  /**
   * Builds what a snapshot needs, before it returns; call it before the snapshot goes to the data plane, so that no
   * pool serves without its table.
   */
  apply({ units }: Snapshot): void {
    const { changed, removed } = diffUnits(this.#units, units);
    const touched = [...changed.map(({ loadBalancerId }) => loadBalancerId), ...removed];
    const before = touched.flatMap((id) => this.#units.get(id)?.pools ?? []);
    const after = changed.flatMap(({ pools }) => pools).filter(({ maglev }) => maglev !== undefined);
    this.#forget(before, after);
    for (const pool of after) {
      for (const { id } of pool.backends) this.#poolOf.set(id, pool.id);
      this.#build(pool);
    }
    this.#units = units;
  }

  /** What health checks say of a backend; of one that is in no snapshot so far too. */
  setHealth(backendId: string, health: BackendHealth): void {
    if (this.#health.get(backendId) === health) return;
    this.#health.set(backendId, health);
    const poolId = this.#poolOf.get(backendId);
    if (poolId === undefined) return;
    if (this.#stale.size === 0) queueMicrotask(() => this.#buildStale());
    this.#stale.add(poolId);
  }

  /** Builds no more. */
  stop(): void {
    this.#isStopped = true;
  }

  #forget(before: readonly PoolUnit[], after: readonly PoolUnit[]): void {
    const staying = new Set(after.flatMap(({ id, backends }) => [id, ...backends.map((backend) => backend.id)]));
    for (const { id, backends } of before) {
      if (!staying.has(id)) this.#pools.delete(id);
      for (const backend of backends.filter((one) => !staying.has(one.id))) {
        this.#poolOf.delete(backend.id);
        this.#health.delete(backend.id);
      }
    }
  }

  #buildStale(): void {
    const pools = [...this.#stale].flatMap((poolId) => this.#pools.get(poolId)?.pool ?? []);
    this.#stale.clear();
    if (this.#isStopped) return;
    for (const pool of pools) this.#build(pool);
  }

  #build(pool: PoolUnit): void {
    const size = pool.maglev?.tableSize ?? 0;
    const last = this.#pools.get(pool.id);
    const members = tableMembers(
      pool,
      rotation(pool, (backend) => this.#healthOf(backend)),
    );
    const builtOf = JSON.stringify([size, ...members.map(({ id, weight }) => [id, weight])]);
    const isSameSize = last?.pool.maglev?.tableSize === size;
    const builder = isSameSize && last !== undefined ? last.builder : createBuilder({ size, allocate: shared });
    this.#pools.set(pool.id, { pool, builder, builtOf });
    if (builtOf !== last?.builtOf) this.#options.onTable(tableOf(pool.id, members, builder));
  }

  #healthOf({ id, monitored }: BackendUnit): BackendHealth {
    return monitored ? (this.#health.get(id) ?? "UNKNOWN") : "NO_MONITOR";
  }
}

const shared = (byteLength: number): SharedArrayBuffer => new SharedArrayBuffer(byteLength);

/** A pool has at most 65,535 backends, so that an index fits 16 bits. */
function tableOf(poolId: string, members: readonly BackendUnit[], builder: TableBuilder): MaglevTableUnit {
  if (members.length === 0) return { poolId, backendIds: [], slots: new Uint16Array(shared(0)) };
  const { backends, slots } = builder.build(members.map(({ id, weight }) => ({ name: id, weight })));
  return { poolId, backendIds: backends.map(({ name }) => name), slots: slots as Uint16Array<SharedArrayBuffer> };
}
