import { StoreError, type StoreErrorCode } from "../errors.ts";
import type { Call } from "../mvcc/calls.ts";
import type { Commit, GrantedLease } from "../mvcc/tables.ts";
import type { PackedRange } from "./packed-range.ts";

/** What the thread gets when it starts. */
export interface ThreadData {
  readonly path: string;
}

/** A call on its way to the thread. */
export type Job = Call & { readonly id: number };

export type ToThread =
  | { readonly type: "jobs"; readonly jobs: readonly Job[] }
  | { readonly type: "backup"; readonly id: number; readonly path: string }
  | { readonly type: "close" };

/** A StoreError as plain data. */
export interface Failure {
  readonly code: StoreErrorCode;
  readonly message: string;
  readonly compactRevision: number | undefined;
}

export type Answer =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly range: PackedRange }
  | { readonly id: number; readonly failure: Failure };

export type FromThread =
  | { readonly type: "opened"; readonly revision: number; readonly leases: readonly GrantedLease[] }
  | { readonly type: "refused"; readonly failure: Failure }
  | { readonly type: "answers"; readonly commits: readonly Commit[]; readonly answers: readonly Answer[] };

export function toFailure({ code, message, compactRevision }: StoreError): Failure {
  return { code, message, compactRevision };
}

export function fromFailure({ code, message, compactRevision }: Failure): StoreError {
  return new StoreError(code, message, compactRevision === undefined ? {} : { compactRevision });
}
