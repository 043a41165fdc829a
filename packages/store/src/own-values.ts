import type { Compare, Op, Txn } from "./store.ts";

/**
 * A transaction with copies of its values: the caller may reuse its buffers at once, and a Buffer that is a piece of
 * Node's pool does not take the whole pool along to another thread.
 */
export function withOwnValues({ compare = [], success, failure = [] }: Txn): Txn {
  return { compare: compare.map(ownComparison), success: success.map(ownOp), failure: failure.map(ownOp) };
}

function ownComparison(comparison: Compare): Compare {
  return comparison.target === "value" ? { ...comparison, to: new Uint8Array(comparison.to) } : comparison;
}

function ownOp(op: Op): Op {
  return op.type === "put" ? { ...op, value: new Uint8Array(op.value) } : op;
}
