import { resolve } from "node:path";
import type { Worker } from "node:worker_threads";

import { type Clock, systemClock } from "../clock.ts";
import type { StoreLogger } from "../logger.ts";
import type { Store } from "../store.ts";
import { TableStore } from "../table-store.ts";
import { type Opened, startThread, ThreadHost } from "./thread-host.ts";

/** Which file to open, and how. */
export interface SqliteStoreOptions {
  /** The database file. It is created (mode 0600) when missing, and so is its directory (mode 0700). */
  readonly path: string;
  /** Drives the leases. Default: real time. */
  readonly clock?: Clock;
  /** Hears what no caller can be told. Default: nobody. */
  readonly logger?: StoreLogger;
}

/** A store in one SQLite file. */
export interface SqliteStore extends Store {
  /**
   * Writes a consistent copy of the store to a new file (mode 0600) while reads and writes go on. The copy holds at
   * least what was acknowledged before the call. Rejects with `INVALID` when the file exists, `FULL` without space.
   */
  backup(path: string): Promise<void>;
}

/**
 * Opens a store in one SQLite file, in a thread of its own, for this process alone. A write is acknowledged once it
 * is on disk (WAL, synchronous=FULL); writes that arrive together share one fsync. The whole file is checked first.
 *
 * Rejects with `LOCKED` (another process has it), `CORRUPT`, `NEWER_FORMAT`, `INVALID` (another program's database)
 * or `UNAVAILABLE`; the file is then left as it was.
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<SqliteStore> {
  const path = resolve(options.path);
  const { worker, opened } = await startThread(path);
  return new ThreadStore({ ...options, path, worker, opened });
}

class ThreadStore extends TableStore implements SqliteStore {
  readonly #host: ThreadHost;

  constructor(options: SqliteStoreOptions & { worker: Worker; opened: Opened }) {
    const { worker, path, opened, clock = systemClock, logger } = options;
    let host: ThreadHost | undefined;
    super({
      kind: "sqlite",
      clock,
      logger,
      revision: opened.revision,
      leases: opened.leases,
      host: (owner) => (host = new ThreadHost({ worker, path, owner })),
    });
    this.#host = host!;
  }

  async backup(path: string): Promise<void> {
    this.assertOpen();
    await this.#host.backup(resolve(path));
  }
}
