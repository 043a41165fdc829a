import { chmodSync, closeSync, existsSync, fsyncSync, linkSync, openSync, rmSync, unlinkSync } from "node:fs";
import { dirname } from "node:path";
import { threadId } from "node:worker_threads";

/** Private to its owner: a store holds keys and certificates. */
const FILE_MODE = 0o600;

/** Fills an empty private file under a passing name; the name is gone afterwards unless published. */
export async function withTemporaryFile<T>(path: string, fill: (temporary: string) => T | Promise<T>): Promise<T> {
  const temporary = `${path}.${process.pid}-${threadId}.partial`;
  removeDatabase(temporary);
  try {
    closeSync(openSync(temporary, "wx", FILE_MODE));
    return await fill(temporary);
  } finally {
    removeDatabase(temporary);
  }
}

/**
 * Gives a finished file its lasting name, whole or not at all, also through a crash. Fails with EEXIST when the name
 * is taken: nothing is overwritten.
 */
export function publishFile(temporary: string, path: string): void {
  chmodSync(temporary, FILE_MODE);
  syncPath(temporary);
  linkSync(temporary, path);
  unlinkSync(temporary);
  syncPath(dirname(path));
}

/** Removes a database file with the files that SQLite may have left beside it. */
function removeDatabase(path: string): void {
  for (const suffix of ["", "-wal", "-shm", "-journal"]) {
    if (existsSync(path + suffix)) rmSync(path + suffix);
  }
}

function syncPath(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
