import { createMemoryStore, openSqliteStore, type SqliteStore, type Store } from "@fiberlb/store";

import type { Clock } from "./clock.ts";
import type { Config } from "./config/config.ts";
import type { Log } from "./log.ts";

/** A store, and the way to copy it into a file where there is one. */
export type OpenedStore = Store & Partial<Pick<SqliteStore, "backup">>;

/** The store of a node, as configured. @throws StoreError that says what is wrong with it and what to do. */
export function openStore(
  config: Config,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<OpenedStore> {
  const storeClock = { now: () => clock.nowMs(), after: clock.after.bind(clock) };
  switch (config.store.kind) {
    case "memory":
      return Promise.resolve(createMemoryStore({ clock: storeClock }));
    case "sqlite":
      return openSqliteStore({ path: config.store.path, clock: storeClock, logger: log });
    case "etcd":
      return Promise.reject(new Error('store.kind "etcd" is not in this release'));
  }
}
