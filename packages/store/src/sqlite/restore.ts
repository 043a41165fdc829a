import { existsSync, mkdirSync, renameSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { StoreError } from "../errors.ts";
import { inspect } from "./database-file.ts";
import { publishFile, withTemporaryFile } from "./durable-file.ts";
import { lockedError } from "./owner-file.ts";
import { toStoreError } from "./sqlite-error.ts";

/**
 * Reads all of a SQLite store file (a backup, or a store that no process has open) and checks it, changing nothing.
 * Rejects with `CORRUPT`, `NEWER_FORMAT`, `INVALID` (not a FiberLB store), `LOCKED` or `UNAVAILABLE`.
 */
export async function verifySqliteFile(path: string): Promise<void> {
  await Promise.resolve();
  if (!existsSync(path)) throw new StoreError("UNAVAILABLE", `Cannot read store file ${path}: there is no such file`);
  try {
    inspect(path);
  } catch (error) {
    const failure = toStoreError(error, "read store file", path);
    throw failure.code === "LOCKED" ? lockedError(path, error) : failure;
  }
}

/** What to restore where. */
export interface RestoreOptions {
  /** A file that {@link SqliteStore.backup} wrote, or a store that no process has open. */
  readonly from: string;
  /** The store's path. */
  readonly to: string;
}

/** What a restore did. */
export interface RestoreResult {
  /** Where the store that was there is now; undefined when there was none. */
  readonly replaced: string | undefined;
}

/**
 * Puts a backup in the place of a store, after checking it. The store that was there, damaged or not, is renamed to
 * `<to>.replaced-<n>`, never deleted. Rejects with `LOCKED` while a process has it open.
 */
export async function restoreSqliteFile({ from, to }: RestoreOptions): Promise<RestoreResult> {
  await verifySqliteFile(from);
  try {
    mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
    return await withTemporaryFile(to, (temporary) => {
      copyStore(from, temporary);
      const replaced = moveAside(to);
      publishFile(temporary, to);
      return { replaced };
    });
  } catch (error) {
    throw toStoreError(error, `restore ${from} to`, to);
  }
}

/** Through SQLite, which reads a log beside the file as well: a store that was killed has its last writes there. */
function copyStore(from: string, to: string): void {
  const database = new DatabaseSync(from, { readOnly: true });
  try {
    database.prepare("VACUUM INTO ?").run(to);
  } finally {
    database.close();
  }
}

function moveAside(path: string): string | undefined {
  const parts = ["", "-wal", "-shm"].filter((suffix) => existsSync(path + suffix));
  if (parts.length === 0) return undefined;
  refuseWhenOpen(path);
  let number = 1;
  while (existsSync(`${path}.replaced-${number}`)) number++;
  // The log must not stay behind: SQLite would apply it to the restored file.
  for (const suffix of parts) renameSync(path + suffix, `${path}.replaced-${number}${suffix}`);
  return `${path}.replaced-${number}`;
}

function refuseWhenOpen(path: string): void {
  if (!existsSync(path)) return;
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    database.prepare("PRAGMA schema_version").get();
  } catch (error) {
    // Damage is no obstacle: it is the reason to restore.
    if (toStoreError(error, "read store file", path).code === "LOCKED") throw lockedError(path, error);
  } finally {
    database.close();
  }
}
