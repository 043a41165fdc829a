import type { KeyRange } from "./keys.ts";
import type { Compare, DeleteOp, DeleteRangeOp, GetOp, LeaseId, PutOp, RangeOp } from "./store.ts";

/** Holds while the key does not exist. */
export function absent(key: string): Compare {
  return { key, target: "createRevision", is: "=", to: 0 };
}

/** Holds while the key exists. */
export function present(key: string): Compare {
  return { key, target: "createRevision", is: ">", to: 0 };
}

/** Holds while nobody wrote the key since `modRevision`; 0 is {@link absent}. */
export function unchanged(key: string, modRevision: number): Compare {
  return { key, target: "modRevision", is: "=", to: modRevision };
}

/** An operation that writes a key. */
export function put(key: string, value: Uint8Array, options: { lease?: LeaseId; prevKv?: boolean } = {}): PutOp {
  return { type: "put", key, value, ...options };
}

/** An operation that deletes a key. */
export function remove(key: string, options: { prevKv?: boolean } = {}): DeleteOp {
  return { type: "delete", key, ...options };
}

/** An operation that deletes a range. */
export function removeRange(range: KeyRange, options: { prevKv?: boolean } = {}): DeleteRangeOp {
  return { type: "deleteRange", start: range.start, end: range.end, ...options };
}

/** An operation that reads a key. */
export function read(key: string): GetOp {
  return { type: "get", key };
}

/** An operation that reads a range. */
export function readRange(
  range: KeyRange,
  options: { limit?: number; keysOnly?: boolean; countOnly?: boolean } = {},
): RangeOp {
  return { type: "range", start: range.start, end: range.end, ...options };
}
