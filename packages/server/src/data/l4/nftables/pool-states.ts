import type { BackendHealth, BackendUnit, MaglevTableUnit, PoolUnit, Unit } from "../../../snapshot/snapshot.ts";
import { rotation } from "../../rotation.ts";
import { fits, type PoolState } from "./pool-map.ts";

/** Who of each pool may get new connections: what health checks and the makers of Maglev tables said last. */
export class PoolStates {
  readonly #health = new Map<string, BackendHealth>();
  readonly #tables = new Map<string, MaglevTableUnit>();
  /** The last one of each pool that fitted it. */
  readonly #fitting = new Map<string, MaglevTableUnit>();

  /** May come before the backend does. @returns whether it is news */
  setHealth(backendId: string, health: BackendHealth): boolean {
    if (this.#health.get(backendId) === health) return false;
    this.#health.set(backendId, health);
    return true;
  }

  /** May come before the pool does. */
  setTable(table: MaglevTableUnit): void {
    this.#tables.set(table.poolId, table);
  }

  /** Forgets what was said of what `before` had and `after` does not. */
  release(before: Unit, after: Unit | undefined): void {
    const pools = new Set(after?.pools.map(({ id }) => id));
    const backends = new Set(after?.pools.flatMap((pool) => pool.backends.map(({ id }) => id)));
    for (const pool of before.pools) {
      if (!pools.has(pool.id)) {
        this.#tables.delete(pool.id);
        this.#fitting.delete(pool.id);
      }
      for (const { id } of pool.backends) if (!backends.has(id)) this.#health.delete(id);
    }
  }

  /** A pool as it is now. */
  stateOf(pool: PoolUnit): PoolState {
    const { active } = rotation(pool, (backend) => this.healthOf(backend));
    return { pool, active, table: this.#tableOf(pool) };
  }

  /** Whether new connections may still be sent to a backend. */
  isChosen(pool: PoolUnit, backendId: string): boolean {
    const { active, table } = this.stateOf(pool);
    if (!active.some(({ id }) => id === backendId)) return false;
    return pool.maglev === undefined || (table?.backendIds.includes(backendId) ?? false);
  }

  /** A table comes before the snapshot that it was made for: until that is here the one before goes on. */
  #tableOf(pool: PoolUnit): MaglevTableUnit | undefined {
    const table = this.#tables.get(pool.id);
    if (table !== undefined && fits(pool, table)) this.#fitting.set(pool.id, table);
    return this.#fitting.get(pool.id);
  }

  /** What health checks said of a backend last. */
  healthOf({ id, monitored }: BackendUnit): BackendHealth {
    return monitored ? (this.#health.get(id) ?? "UNKNOWN") : "NO_MONITOR";
  }
}
