import { readFileSync } from "node:fs";

import { createMemoryStore, openEtcdStore, openSqliteStore, type SqliteStore, type Store } from "@fiberlb/store";

import type { Clock } from "./clock.ts";
import type { Config } from "./config/config.ts";
import type { Log } from "./log.ts";

/** A store, and the way to copy it into a file where there is one. */
export type OpenedStore = Store & Partial<Pick<SqliteStore, "backup">>;

/** The store of a node, as configured. @throws Error (a StoreError mostly) that says what is wrong and what to do. */
export async function openStore(
  config: Config,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<OpenedStore> {
  const storeClock = { now: () => clock.nowMs(), after: clock.after.bind(clock) };
  switch (config.store.kind) {
    case "memory":
      return createMemoryStore({ clock: storeClock });
    case "sqlite":
      return openSqliteStore({ path: config.store.path, clock: storeClock, logger: log });
    case "etcd":
      // Whether it can be reached shows soon enough, and need not keep this node from forwarding.
      return openEtcdStore({ ...etcdOptions(config.store), clock: storeClock, logger: log, verify: false });
  }
}

/** What the configuration says of the cluster, with the files that it names. @throws Error that names a file. */
export function etcdOptions({ endpoints = [], tls, username, passwordFile, prefix }: Config["store"]): {
  readonly endpoints: readonly string[];
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  readonly username?: string;
  readonly password?: string;
  readonly prefix: string;
} {
  return {
    endpoints,
    prefix,
    ...(tls !== undefined && { tls: readAll(tls) }),
    ...(username !== undefined && { username }),
    ...(passwordFile !== undefined && { password: read("store.passwordFile", passwordFile).replace(/\r?\n$/, "") }),
  };
}

function readAll(tls: NonNullable<Config["store"]["tls"]>): { ca?: string; cert?: string; key?: string } {
  const texts = Object.entries(tls).flatMap(([name, file]) =>
    file === undefined ? [] : [[name, read(`store.tls.${name}`, file)] as const],
  );
  return Object.fromEntries(texts);
}

function read(key: string, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new Error(`Cannot read ${key} ${file}: ${(error as Error).message}`, { cause: error });
  }
}
