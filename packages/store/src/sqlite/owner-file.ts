import { readFileSync, rmSync, writeFileSync } from "node:fs";

import { StoreError } from "../errors.ts";

/**
 * Beside the database stands a file with the process id of its owner. It is only for the message of `LOCKED`: the
 * lock itself is SQLite's, held by the kernel, and ends with the process however that ends.
 */
function ownerPath(path: string): string {
  return `${path}.pid`;
}

export function writeOwner(path: string): void {
  try {
    writeFileSync(ownerPath(path), `${process.pid}\n`, { mode: 0o600 });
  } catch (error) {
    // On a full disk the store still opens, for reading; only the owner stays unnamed.
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  }
}

export function removeOwner(path: string): void {
  rmSync(ownerPath(path), { force: true });
}

/** The `LOCKED` error, naming the owner when it can be told. */
export function lockedError(path: string, cause: unknown): StoreError {
  const owner = readOwner(path);
  const holder = owner === undefined ? "another process" : owner === process.pid ? "this process" : `process ${owner}`;
  const message = `Store file ${path} is in use by ${holder}; stop it first, or choose another path`;
  return new StoreError("LOCKED", message, { cause });
}

function readOwner(path: string): number | undefined {
  try {
    const pid = Number(readFileSync(ownerPath(path), "utf8"));
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    // Without the file the owner stays unnamed; that the store is locked is told all the same.
    return undefined;
  }
}
