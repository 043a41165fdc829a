import { type Compare, isStoreError, type KeyValue, type Op, read, type Store, type TxnResult } from "@fiberlb/store";
import { DomainError } from "@fiberlb/types";

/** What must hold for a write, and what it means when it does not. */
export interface Condition {
  readonly compare: Compare;
  /** The error for the caller. Absent: somebody was faster; plan again from what stands now. */
  readonly otherwise?: DomainError | undefined;
}

/** A write that is ready: judged by what was read, valid only while `conditions` hold. */
export interface Plan<T> {
  readonly conditions: readonly Condition[];
  readonly ops: readonly Op[];
  readonly result: T;
}

/** A plan that happened. */
export interface Done<T> {
  readonly result: T;
  readonly txn: TxnResult;
}

export interface TransactOptions {
  /** For the message when others keep changing the same things: `pool app`. */
  readonly what: string;
  /** Judge everything and write nothing. */
  readonly validateOnly?: boolean;
  /** The store does not know a lease that the plan used: the next plan should use another. */
  readonly leaseLost?: () => void;
}

/** Losing this often in a row takes more writers than one load balancer has; each loss means that another write won. */
const MAX_ATTEMPTS = 64;

/**
 * Plans and commits; plans again when the state changed in between, so that of two racers one sees the other's result.
 *
 * @throws DomainError of the first violated condition; `aborted` when the races do not end.
 */
export async function transact<T>(
  store: Store,
  plan: () => Promise<Plan<T>>,
  { what, validateOnly = false, leaseLost }: TransactOptions,
): Promise<Done<T>> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const { conditions, ops, result } = await plan();
    const txn = await store
      .txn({
        compare: conditions.map(({ compare }) => compare),
        success: validateOnly ? [] : ops,
        failure: conditions.map(({ compare }) => read(compare.key)),
      })
      .catch((error: unknown) => {
        if (leaseLost === undefined || !isStoreError(error, "LEASE_NOT_FOUND")) throw error;
        leaseLost();
      });
    if (txn === undefined) continue;
    if (txn.succeeded) return { result, txn };
    throwViolation(conditions, txn);
  }
  throw new DomainError({ kind: "aborted" }, `cannot change ${what}: others keep changing it; try again`);
}

/** The first condition that does not hold decides; the order of conditions is the order of importance. */
function throwViolation(conditions: readonly Condition[], txn: TxnResult): void {
  const violated = conditions.find(({ compare }, index) => {
    const found = txn.results[index];
    return found?.type === "get" && !holds(compare, found.kv);
  });
  if (violated?.otherwise !== undefined) throw violated.otherwise;
}

/** Whether a comparison holds for what was read; only the targets that this package compares. */
function holds(compare: Compare, kv: KeyValue | undefined): boolean {
  if (compare.target !== "createRevision" && compare.target !== "modRevision" && compare.target !== "version")
    return true;
  const actual = kv?.[compare.target] ?? 0;
  switch (compare.is) {
    case "=":
      return actual === compare.to;
    case "!=":
      return actual !== compare.to;
    case "<":
      return actual < compare.to;
    case ">":
      return actual > compare.to;
  }
}
