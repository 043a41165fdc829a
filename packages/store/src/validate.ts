import { StoreError } from "./errors.ts";
import { inRange, type KeyRange } from "./keys.ts";
import { LIMITS } from "./limits.ts";
import type { Compare, GetOptions, Op, RangeOptions, Txn, WatchOptions } from "./store.ts";

/** Rejects what no store accepts, with `INVALID`, so that every store refuses the same requests in the same words. */
export function checkGet(key: string, options: GetOptions): void {
  checkKey(key);
  checkRevision(options.revision);
}

export function checkRangeRequest(options: RangeOptions): void {
  checkRange(options);
  checkRevision(options.revision);
  checkLimit(options.limit);
}

export function checkWatch(options: WatchOptions): void {
  checkRange(options);
  checkRevision(options.fromRevision);
}

export function checkLeaseTtl(ttlMs: number): void {
  if (!Number.isSafeInteger(ttlMs) || ttlMs < 1 || ttlMs > LIMITS.leaseTtlMs) {
    throw invalid(`lease TTL ${ttlMs} ms: must be a whole number from 1 to ${LIMITS.leaseTtlMs}`);
  }
}

export function checkRevision(revision: number | undefined): void {
  if (revision !== undefined && (!Number.isSafeInteger(revision) || revision < 1)) {
    throw invalid(`revision ${revision}: must be a whole number from 1`);
  }
}

export function checkTxn(txn: Txn): void {
  const { compare = [], success, failure = [] } = txn;
  checkCount("comparisons", compare.length);
  checkCount("success operations", success.length);
  checkCount("failure operations", failure.length);
  let bytes = (compare.length + success.length + failure.length) * LIMITS.overheadBytes;
  for (const comparison of compare) bytes += checkCompare(comparison);
  for (const op of [...success, ...failure]) bytes += checkOp(op);
  if (bytes > LIMITS.txnBytes) throw invalid(`transaction of ${bytes} bytes: the limit is ${LIMITS.txnBytes}`);
  checkWrittenOnce(success);
  checkWrittenOnce(failure);
}

function checkCount(what: string, count: number): void {
  if (count > LIMITS.txnOperations) {
    throw invalid(`transaction with ${count} ${what}: the limit is ${LIMITS.txnOperations}`);
  }
}

function checkCompare(comparison: Compare): number {
  const bytes = checkKey(comparison.key);
  if (comparison.target === "value") return bytes + checkValue(comparison.key, comparison.to);
  if (comparison.target !== "lease" && !Number.isSafeInteger(comparison.to)) {
    throw invalid(`comparison of ${quote(comparison.key)}: ${comparison.target} is compared with a whole number`);
  }
  return bytes;
}

function checkOp(op: Op): number {
  switch (op.type) {
    case "put":
      return checkKey(op.key) + checkValue(op.key, op.value);
    case "get":
    case "delete":
      return checkKey(op.key);
    case "range":
      checkLimit(op.limit);
      return checkRange(op);
    default:
      return checkRange(op);
  }
}

/** A key has one state per revision, so a branch may not put a key twice, nor put and delete it (as in etcd). */
function checkWrittenOnce(ops: readonly Op[]): void {
  const put = new Set<string>();
  for (const op of ops) {
    if (op.type !== "put") continue;
    if (put.has(op.key)) throw invalid(`transaction puts ${quote(op.key)} twice`);
    put.add(op.key);
  }
  for (const op of ops) {
    const clash =
      op.type === "delete"
        ? put.has(op.key) && op.key
        : op.type === "deleteRange" && [...put].find((k) => inRange(k, op));
    if (typeof clash === "string") throw invalid(`transaction both puts and deletes ${quote(clash)}`);
  }
}

function checkKey(key: string): number {
  if (typeof key !== "string" || key === "") throw invalid("key is empty");
  if (key.includes("\0")) throw invalid(`key ${quote(key)} contains a NUL character`);
  return checkText("key", key);
}

function checkRange(range: KeyRange): number {
  if (typeof range.start !== "string" || typeof range.end !== "string") throw invalid("range needs a start and an end");
  if (range.end === "") throw invalid(`range from ${quote(range.start)} has an empty end; END_OF_KEYS means no bound`);
  return checkText("range start", range.start) + checkText("range end", range.end);
}

function checkText(what: string, text: string): number {
  if (!text.isWellFormed()) throw invalid(`${what} ${quote(text)} is not well-formed Unicode`);
  const bytes = Buffer.byteLength(text);
  // One more byte lets keyAfter() of the longest key be a bound.
  const limit = what === "key" ? LIMITS.keyBytes : LIMITS.keyBytes + 1;
  if (bytes > limit) throw invalid(`${what} ${quote(text)} has ${bytes} bytes: the limit is ${LIMITS.keyBytes}`);
  return bytes;
}

function checkValue(key: string, value: Uint8Array): number {
  if (!(value instanceof Uint8Array)) throw invalid(`value of ${quote(key)} is not a Uint8Array`);
  if (value.length > LIMITS.valueBytes) {
    throw invalid(`value of ${quote(key)} has ${value.length} bytes: the limit is ${LIMITS.valueBytes}`);
  }
  return value.length;
}

function checkLimit(limit: number | undefined): void {
  if (limit !== undefined && (!Number.isSafeInteger(limit) || limit < 0)) {
    throw invalid(`limit ${limit}: must be a whole number from 0`);
  }
}

function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

function invalid(message: string): StoreError {
  return new StoreError("INVALID", `Invalid request: ${message}`);
}
