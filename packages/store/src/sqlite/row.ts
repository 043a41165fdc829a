import { crc32 } from "node:zlib";

import { StoreError } from "../errors.ts";
import type { KeyValue, LeaseId } from "../store.ts";

/** A row of `history`, as selected by {@link COLUMNS}. */
export interface HistoryRow {
  readonly revision: number;
  readonly key: string;
  readonly value: Uint8Array;
  readonly createRevision: number;
  readonly version: number;
  readonly lease: number | null;
  readonly deleted: number;
  readonly checksum: number;
}

/** The columns of a {@link HistoryRow} from a table called `h`. */
export const COLUMNS =
  "h.revision, h.key, h.value, h.create_revision AS createRevision, h.version, h.lease, h.deleted, h.checksum";

/** CRC-32 over all that a row says: SQLite itself does not notice a flipped bit inside a value. */
export function checksumOf(row: Omit<HistoryRow, "checksum">): number {
  const head = [row.revision, row.createRevision, row.version, row.lease ?? "", row.deleted, row.key].join("\0");
  return crc32(row.value, crc32(head));
}

/** Whether the row is as it was written. */
export function isIntact(row: HistoryRow): boolean {
  return checksumOf(row) === row.checksum;
}

/** The row as a reader sees it; `CORRUPT` when it is not as it was written. */
export function toKeyValue(row: HistoryRow): KeyValue {
  if (!isIntact(row)) {
    throw new StoreError("CORRUPT", `Key ${JSON.stringify(row.key)} at revision ${row.revision} is damaged on disk`);
  }
  return toUncheckedKeyValue(row);
}

/** For rows whose value was not read. */
export function toUncheckedKeyValue(row: Omit<HistoryRow, "checksum">): KeyValue {
  const { key, value, createRevision, revision, version, lease } = row;
  return {
    key,
    value,
    createRevision,
    modRevision: revision,
    version,
    ...(lease !== null && { lease: String(lease) as LeaseId }),
  };
}
