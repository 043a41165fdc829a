import type { BackendHealth, BackendUnit, Unit } from "../snapshot/snapshot.ts";
import { CounterTable, type Row } from "./counters.ts";
import type { BackendFigures, ListenerFigures } from "./data-plane.ts";
import {
  BACKEND_ROW,
  backendFigures,
  forgetHealth,
  healthOf,
  LISTENER_ROW,
  listenerFigures,
  NO_BACKEND_FIGURES,
  NO_LISTENER_FIGURES,
  POOL_FLAG,
  POOL_ROW,
  setEjected,
  setHealth,
} from "./figures.ts";
import { RateTables } from "./rate/rate-tables.ts";
import type { RateMemory } from "./rate/source-rates.ts";
import { Slots } from "./slots.ts";
import type { SharedMemory, UnitAssignment } from "./worker-protocol.ts";

/** One shared table and who owns which row. */
class Book {
  readonly table: CounterTable;
  readonly #slots: Slots;

  constructor(table: CounterTable) {
    this.table = table;
    this.#slots = new Slots((slot) => table.sums(slot).gauge() > 0);
  }

  /** The row of an id, made if it has none. */
  open(id: string): { readonly slot: number; readonly row: Row } {
    const slot = this.#slots.take(id, (reused) => this.table.clear(reused));
    this.table.reserve(slot);
    return { slot, row: this.table.row(slot, 0) };
  }

  /** The row of an id that is in use or was not long ago. */
  find(id: string): Row | undefined {
    const slot = this.#slots.get(id);
    return slot === undefined ? undefined : this.table.row(slot, 0);
  }

  close(id: string): void {
    this.#slots.vacate(id);
  }
}

/** What a health verdict changed. */
export interface HealthChange {
  readonly poolId: string;
  readonly before: BackendHealth | undefined;
}

/** The main thread's side of the shared tables: gives rows to load balancers, tells health, reads figures. */
export class Ledger {
  readonly #backends: Book;
  readonly #listeners: Book;
  readonly #pools: Book;
  readonly #rates = new RateTables();
  readonly #poolOf = new Map<string, string>();
  /** Verdicts on backends that no snapshot has brought so far. */
  readonly #early = new Map<string, BackendHealth>();

  /** @param workers how many threads will count. */
  constructor(workers: number) {
    this.#backends = new Book(CounterTable.create(BACKEND_ROW, workers));
    this.#listeners = new Book(CounterTable.create(LISTENER_ROW, workers));
    this.#pools = new Book(CounterTable.create(POOL_ROW, workers));
  }

  /** For the workers. */
  get memory(): SharedMemory {
    return {
      backends: this.#backends.table.memory,
      listeners: this.#listeners.table.memory,
      pools: this.#pools.table.memory,
    };
  }

  /** Gives everything in a unit its row; what has one keeps it. New backends get their first health. */
  assign(unit: Unit): UnitAssignment {
    const slots = { backends: {} as Slot, listeners: {} as Slot, pools: {} as Slot };
    const rates: Record<string, RateMemory> = {};
    for (const listener of unit.listeners) {
      slots.listeners[listener.id] = this.#listeners.open(listener.id).slot;
      const memory = this.#rates.assign(listener);
      if (memory !== undefined) rates[listener.id] = memory;
    }
    for (const pool of unit.pools) {
      slots.pools[pool.id] = this.#pools.open(pool.id).slot;
      for (const backend of pool.backends) {
        const { slot, row } = this.#backends.open(backend.id);
        slots.backends[backend.id] = slot;
        this.#poolOf.set(backend.id, pool.id);
        this.#begin(backend, row);
      }
    }
    return { unit, slots, rates };
  }

  /** Takes back the rows that `before` had and `after` doesn't; once no worker serves `before` any more. */
  release(before: Unit, after: Unit | undefined): void {
    const kept = new Set(after === undefined ? [] : idsOf(after));
    const gone = (id: string): boolean => !kept.has(id);
    for (const { id } of before.listeners.filter((listener) => gone(listener.id))) {
      this.#listeners.close(id);
      this.#rates.release(id);
    }
    for (const pool of before.pools) {
      if (gone(pool.id)) this.#pools.close(pool.id);
      for (const { id } of pool.backends.filter((backend) => gone(backend.id))) {
        const row = this.#backends.find(id);
        if (row !== undefined) forgetHealth(row);
        this.#backends.close(id);
        this.#poolOf.delete(id);
      }
    }
  }

  /** Forgets verdicts on backends that still are in no snapshot. */
  dropEarly(): void {
    this.#early.clear();
  }

  /** Tells all workers what health checks say; undefined when the backend isn't there (yet). */
  setHealth(backendId: string, health: BackendHealth): HealthChange | undefined {
    const poolId = this.#poolOf.get(backendId);
    const row = this.#backends.find(backendId);
    if (poolId === undefined || row === undefined) {
      this.#early.set(backendId, health);
      return undefined;
    }
    const before = healthOf(row);
    if (before !== health) {
      setHealth(row, health);
      this.#pools.find(poolId)?.increment(POOL_FLAG.generation);
    }
    return { poolId, before };
  }

  /** What health checks say of a backend; undefined when it isn't there. */
  healthOf(backendId: string): BackendHealth | undefined {
    const row = this.#backends.find(backendId);
    return row === undefined ? undefined : healthOf(row);
  }

  /** Leaves a backend out in all workers, or takes it back. */
  setEjected(backendId: string, ejected: boolean): void {
    const row = this.#backends.find(backendId);
    const poolId = this.#poolOf.get(backendId);
    if (row === undefined || poolId === undefined) return;
    setEjected(row, ejected);
    this.#pools.find(poolId)?.increment(POOL_FLAG.generation);
  }

  /** A worker died: what it held is given back, what it counted is kept. */
  fold(worker: number): void {
    for (const { table } of [this.#backends, this.#listeners, this.#pools]) table.fold(worker);
  }

  listenerFigures(id: string): ListenerFigures {
    const row = this.#listeners.find(id);
    return row === undefined ? NO_LISTENER_FIGURES : listenerFigures(row, this.#rates.forgotten(id));
  }

  backendFigures(id: string): BackendFigures {
    const row = this.#backends.find(id);
    return row === undefined ? NO_BACKEND_FIGURES : backendFigures(row);
  }

  /** The first health of a backend, and the right one after its pool got or lost its health check. */
  #begin({ id, monitored }: BackendUnit, row: Row): void {
    const said = healthOf(row);
    const early = this.#early.get(id);
    if (!monitored) this.setHealth(id, "NO_MONITOR");
    else if (early !== undefined) this.setHealth(id, early);
    else if (said === undefined || said === "NO_MONITOR") this.setHealth(id, "UNKNOWN");
  }
}

type Slot = Record<string, number>;

function idsOf({ listeners, pools }: Unit): string[] {
  return [...listeners, ...pools, ...pools.flatMap(({ backends }) => backends)].map(({ id }) => id);
}
