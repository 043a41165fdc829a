import type { TxnResponse } from "../gen/etcd/etcd_pb.ts";
import { leaseNotFound } from "../refusals.ts";
import type { LeaseId, Op, OpResult, Txn, TxnResult } from "../store.ts";
import type { Cluster } from "./cluster.ts";
import type { KeySpace } from "./key-space.ts";
import { isLeaseError, type Leases } from "./leases.ts";
import { toCompare } from "./messages.ts";
import { type Step, toStep } from "./operations.ts";
import type { Revisions } from "./revisions.ts";

export interface TransactionsOptions {
  readonly cluster: Cluster;
  readonly keys: KeySpace;
  readonly revisions: Revisions;
  readonly leases: Leases;
}

/**
 * Transactions, each carried out at most once: one that writes is asked for again only when it surely did not reach
 * the cluster. When its answer was lost, it may have been carried out, or may yet be: only reading tells.
 */
export class Transactions {
  readonly #options: TransactionsOptions;

  constructor(options: TransactionsOptions) {
    this.#options = options;
  }

  async run(txn: Txn): Promise<TxnResult> {
    const { cluster, keys, revisions } = this.#options;
    const { compare = [], success, failure = [] } = txn;
    const branches = { success: success.map((op) => toStep(op, keys)), failure: failure.map((op) => toStep(op, keys)) };
    const request = {
      compare: compare.map((comparison) => toCompare(comparison, keys)),
      success: requestsOf(branches.success),
      failure: requestsOf(branches.failure),
    };
    const before = revisions.newest;
    const { value } = await cluster.call({
      what: "the transaction",
      repeatable: ![...success, ...failure].some(writes),
      perform: async (endpoint, signal) => {
        try {
          return await endpoint.kv.txn(request, { signal });
        } catch (error) {
          if (isLeaseError(error, "not found")) return undefined;
          throw error;
        }
      },
    });
    if (value === undefined) throw await this.#leaseFailure(txn);
    revisions.heardLinearizable(value.header, before);
    const { succeeded } = value;
    const results = resultsOf(succeeded ? branches.success : branches.failure, value);
    return { succeeded, revision: Number(value.header?.revision ?? 0n), results };
  }

  /** etcd does not say which lease it missed. */
  async #leaseFailure(txn: Txn): Promise<Error> {
    const leases = leasesOf(txn);
    const ended = leases.length > 1 ? await this.#options.leases.firstEnded(leases) : undefined;
    return leaseNotFound(ended ?? leases[0]!);
  }
}

function requestsOf(steps: readonly Step[]): NonNullable<Step["request"]>[] {
  return steps.flatMap(({ request }) => (request ? [request] : []));
}

/** Answers come for what was asked, in its order. */
function resultsOf(steps: readonly Step[], { responses }: TxnResponse): OpResult[] {
  let next = 0;
  return steps.map(({ request, result }) => {
    const answered = request && responses[next++]?.response;
    return result(answered ?? { case: undefined });
  });
}

function writes(op: Op): boolean {
  return op.type === "put" || op.type === "delete" || op.type === "deleteRange";
}

function leasesOf({ success, failure = [] }: Txn): LeaseId[] {
  const leases = [...success, ...failure].flatMap((op) => (op.type === "put" && op.lease ? [op.lease] : []));
  return [...new Set(leases)];
}
