import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";

import { StoreError } from "../errors.ts";
import { publishFile, withTemporaryFile } from "./durable-file.ts";
import { toStoreError } from "./sqlite-error.ts";

/**
 * Copies the open database, as it stands now, into a new file without a log beside it. Calls that arrive meanwhile
 * wait: SQLite's step-by-step copy would let them through, but fails when a write meets one of its steps, and in the
 * exclusive locking mode no second connection can do the copying.
 */
export async function backupDatabase(database: DatabaseSync, target: string): Promise<void> {
  if (existsSync(target)) throw new StoreError("INVALID", `Cannot write backup ${target}: it exists already`);
  try {
    mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
    await withTemporaryFile(target, (temporary) => {
      database.prepare("VACUUM INTO ?").run(temporary);
      publishFile(temporary, target);
    });
  } catch (error) {
    throw toStoreError(error, "write backup", target);
  }
}
