import { StoreError } from "./errors.ts";
import type { LeaseId } from "./store.ts";

/** Why a store did not do what was asked: the same words from every store. */
export function leaseNotFound(lease: LeaseId): StoreError {
  return new StoreError("LEASE_NOT_FOUND", `Lease ${lease} not found: it expired, was revoked or never existed`);
}

export function futureRevision(revision: number, newest: number): StoreError {
  return new StoreError("FUTURE_REVISION", `Revision ${revision} does not exist yet: the newest is ${newest}`);
}

export function compacted(revision: number, compactRevision: number): StoreError {
  const message = `Revision ${revision} has been compacted: history is kept after ${compactRevision}; read afresh`;
  return new StoreError("COMPACTED", message, { compactRevision });
}

export function closed(): StoreError {
  return new StoreError("CLOSED", "The store is closed");
}
