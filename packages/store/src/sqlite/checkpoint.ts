import type { DatabaseSync } from "node:sqlite";

/** Moves the log into the database and empties it, if there is space for that; else the log stays as good as it is. */
export function tryCheckpoint(database: DatabaseSync): void {
  try {
    database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch {
    // Nothing is lost: the log is read as before, and the next write reports a disk that is full or fails.
  }
}
