import { mkdirSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { isStoreError } from "../errors.ts";
import { tryCheckpoint } from "./checkpoint.ts";
import { publishFile, withTemporaryFile } from "./durable-file.ts";
import { checkFormat, checkIntegrity } from "./integrity.ts";
import { checkLog } from "./log-check.ts";
import { lockedError, removeOwner, writeOwner } from "./owner-file.ts";
import { SCHEMA } from "./schema.ts";
import { corrupt, toStoreError } from "./sqlite-error.ts";

const SMALLEST_PAGE_BYTES = 512;

/** Opens the store file for this process alone, creating it when there is none. */
export async function openDatabase(path: string): Promise<DatabaseSync> {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    if (!isThere(path)) await createDatabase(path);
    const inspected = tryInspect(path);
    const database = openExclusive(path);
    if (!inspected) inspectOpen(database, path);
    writeOwner(path);
    return database;
  } catch (error) {
    const failure = toStoreError(error, "open store file", path);
    throw isStoreError(failure, "LOCKED") ? lockedError(path, error) : failure;
  }
}

/** Closes what {@link openDatabase} opened. */
export function closeDatabase(database: DatabaseSync, path: string): void {
  removeOwner(path);
  database.close();
}

/**
 * Reads all of a store file and checks it, changing nothing. Throws `CORRUPT`, `NEWER_FORMAT`, `INVALID` (not
 * a FiberLB store), `LOCKED` or `UNAVAILABLE`.
 */
export function inspect(path: string): void {
  // Read-only: closing a writable connection would fold the -wal file into a database that may be damaged.
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    checkFormat(database, path);
    checkIntegrity(database, path);
    // While this connection is open no other one can write the log.
    checkLog(path);
  } catch (error) {
    // A column that is called otherwise reads as undefined.
    if (error instanceof TypeError) throw corrupt(path, "its schema is not the store's", error);
    throw toStoreError(error, "read store file", path);
  } finally {
    database.close();
  }
}

/**
 * {@link inspect}, if there is space for it: next to a log, a read-only connection needs some shared memory in a file,
 * which a full disk does not give. An exclusive connection can do without.
 */
function tryInspect(path: string): boolean {
  try {
    inspect(path);
    return true;
  } catch (error) {
    if (isStoreError(error, "FULL", "UNAVAILABLE")) return false;
    throw error;
  }
}

function inspectOpen(database: DatabaseSync, path: string): void {
  try {
    checkFormat(database, path);
    checkIntegrity(database, path);
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Whether there is a store; what is left of a file, or a log without its file, is damage and not a new store. */
function isThere(path: string): boolean {
  const file = statSync(path, { throwIfNoEntry: false });
  // SQLite takes a file shorter than its smallest page for a new, empty database.
  if (file && file.size < SMALLEST_PAGE_BYTES && file.isFile()) throw corrupt(path, `it has only ${file.size} bytes`);
  const log = statSync(`${path}-wal`, { throwIfNoEntry: false });
  if (file === undefined && log !== undefined && log.size > 0) throw corrupt(path, "only its -wal file is left");
  return file !== undefined;
}

/** The file appears under its name only when complete: a crash leaves no half-made store. */
async function createDatabase(path: string): Promise<void> {
  await withTemporaryFile(path, (temporary) => {
    const database = new DatabaseSync(temporary);
    try {
      database.exec(SCHEMA);
    } finally {
      database.close();
    }
    try {
      publishFile(temporary, path);
    } catch (error) {
      // Another process made it in the meantime; which one may use it is decided by the lock.
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  });
}

function openExclusive(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  try {
    // Exclusive before WAL: the lock is taken at once and held, and no shared memory file is needed.
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    database.exec("PRAGMA cache_size = -16384; PRAGMA journal_size_limit = 16777216; BEGIN IMMEDIATE; COMMIT");
  } catch (error) {
    database.close();
    throw error;
  }
  // A log of its own for every run: checkLog() counts on at most one crash in each.
  tryCheckpoint(database);
  rmSync(`${path}-shm`, { force: true });
  return database;
}
