import { StoreError } from "../errors.ts";

/** Primary result codes (https://sqlite.org/rescode.html); extended ones carry them in their low byte. */
const ERROR = 1;
const BUSY = 5;
const LOCKED = 6;
const CORRUPT = 11;
const FULL = 13;
const NOT_A_DATABASE = 26;

const CORRUPT_ADVICE =
  "it was left as it is. Restore a backup (fiberlb store restore), or move it and its -wal file away to start empty";

/** What SQLite says when its schema is not the one that our statements were written for: the text of it was damaged. */
const FOREIGN_SCHEMA = /no such (table|column|index)|has no column|malformed|syntax error|unrecognized token/;

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
    case ERROR:
      if (FOREIGN_SCHEMA.test(message)) return corrupt(path, reason, error);
      return unavailable(action, path, { reason, error });
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
      return unavailable(action, path, { reason, error });
  }
}

const unavailable = (
  action: string,
  path: string,
  why: { readonly reason: string; readonly error: unknown },
): StoreError => new StoreError("UNAVAILABLE", `Cannot ${action} ${path}: ${why.reason}`, { cause: why.error });

export function corrupt(path: string, reason: string, cause?: unknown): StoreError {
  return new StoreError("CORRUPT", `Store file ${path} is damaged (${reason}); ${CORRUPT_ADVICE}`, { cause });
}
