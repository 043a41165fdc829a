/**
 * What went wrong, for programs. Messages are for people and may change.
 *
 * - `INVALID`: the request itself is wrong (empty key, too large, duplicate key in one transaction).
 * - `COMPACTED`: the revision asked for is no longer kept; read afresh. See {@link StoreError.compactRevision}.
 * - `FUTURE_REVISION`: the revision asked for does not exist yet.
 * - `LEASE_NOT_FOUND`: the lease expired, was revoked or never existed.
 * - `LOCKED`: another process (or another store in this one) has the file open.
 * - `CORRUPT`: the stored data is damaged; it was left as it is.
 * - `NEWER_FORMAT`: the file was written by a newer release.
 * - `FULL`: no space left for the write; reads go on, writes work again once there is space.
 * - `UNAVAILABLE`: the storage cannot be reached or failed; a write may or may not have happened.
 * - `CLOSED`: the store was closed by its owner.
 */
export type StoreErrorCode =
  | "INVALID"
  | "COMPACTED"
  | "FUTURE_REVISION"
  | "LEASE_NOT_FOUND"
  | "LOCKED"
  | "CORRUPT"
  | "NEWER_FORMAT"
  | "FULL"
  | "UNAVAILABLE"
  | "CLOSED";

/** Details of a {@link StoreError}. */
export interface StoreErrorOptions {
  /** With code `COMPACTED`: the compaction revision; watches can start at any revision above it. */
  readonly compactRevision?: number;
  readonly cause?: unknown;
}

/** The one error type of every store. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: StoreErrorCode;
  /** With code `COMPACTED`: reads work at this revision and above, watches above it. */
  readonly compactRevision: number | undefined;

  constructor(code: StoreErrorCode, message: string, options: StoreErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.compactRevision = options.compactRevision;
  }
}

/** Whether an error is a {@link StoreError} with one of these codes. */
export function isStoreError(error: unknown, ...codes: readonly StoreErrorCode[]): error is StoreError {
  return error instanceof StoreError && (codes.length === 0 || codes.includes(error.code));
}
