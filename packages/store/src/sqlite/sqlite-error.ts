import { StoreError } from "../errors.ts";

/** Primary result codes (https://sqlite.org/rescode.html); extended ones carry them in their low byte. */
const BUSY = 5;
const LOCKED = 6;
const CORRUPT = 11;
const FULL = 13;
const NOT_A_DATABASE = 26;

const CORRUPT_ADVICE =
  "it was left as it is. Restore a backup (fiberlb store restore), or move it and its -wal file away to start empty";

/** A failure of SQLite or the file system as the store's error, saying which file and what to do. */
export function toStoreError(error: unknown, action: string, path: string): StoreError {
  if (error instanceof StoreError) return error;
  const { code, errcode, errstr, message } = error as {
    code?: string;
    errcode?: number;
    errstr?: string;
    message: string;
  };
  const reason = errstr !== undefined && !message.includes(errstr) ? `${errstr}: ${message}` : message;
  switch (code === "ENOSPC" ? FULL : (errcode ?? 0) & 0xff) {
    case BUSY:
    case LOCKED:
      return new StoreError("LOCKED", `Cannot ${action} ${path}: another process has it open`, { cause: error });
    case CORRUPT:
    case NOT_A_DATABASE:
      return corrupt(path, reason, error);
    case FULL:
      return new StoreError("FULL", `Cannot ${action} ${path}: no space left on its disk; free some, then retry`, {
        cause: error,
      });
    default:
      return new StoreError("UNAVAILABLE", `Cannot ${action} ${path}: ${reason}`, { cause: error });
  }
}

export function corrupt(path: string, reason: string, cause?: unknown): StoreError {
  return new StoreError("CORRUPT", `Store file ${path} is damaged (${reason}); ${CORRUPT_ADVICE}`, { cause });
}
