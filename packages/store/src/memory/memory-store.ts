import { type Clock, systemClock } from "../clock.ts";
import { type CallName, type Calls, perform } from "../mvcc/calls.ts";
import type { Store } from "../store.ts";
import { type TableHost, type TableHostOwner, TableStore } from "../table-store.ts";
import { MemoryTables } from "./memory-tables.ts";

/** How to make a memory store. */
export interface MemoryStoreOptions {
  /** Drives the leases. Default: real time. */
  readonly clock?: Clock;
}

/** A store that lives and ends with the process: for tests, and where nothing has to survive. */
export function createMemoryStore(options: MemoryStoreOptions = {}): Store {
  const tables = new MemoryTables();
  return new TableStore({
    kind: "memory",
    clock: options.clock ?? systemClock,
    revision: tables.revision,
    leases: [],
    host: (owner) => new MemoryHost(tables, owner),
  });
}

class MemoryHost implements TableHost {
  readonly #tables: MemoryTables;
  readonly #owner: TableHostOwner;

  constructor(tables: MemoryTables, owner: TableHostOwner) {
    this.#tables = tables;
    this.#owner = owner;
  }

  // oxlint-disable-next-line typescript/require-await -- a failed call rejects, it does not throw
  async call<K extends CallName>(name: K, args: Calls[K]["args"]): Promise<Calls[K]["result"]> {
    const { result, commit } = perform(this.#tables, name, args);
    if (commit) this.#owner.publish(commit);
    return result;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
