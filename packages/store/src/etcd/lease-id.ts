import type { LeaseId } from "../store.ts";

const MAX_INT64 = 0x7fff_ffff_ffff_ffffn;

/** A lease as etcdctl prints it: hexadecimal. */
export function toLeaseId(id: bigint): LeaseId {
  return id.toString(16).padStart(16, "0") as LeaseId;
}

/** Undefined for what etcd cannot have given. */
export function fromLeaseId(lease: LeaseId): bigint | undefined {
  if (!/^[0-9a-f]{16}$/.test(lease)) return undefined;
  const id = BigInt(`0x${lease}`);
  return id > 0n && id <= MAX_INT64 ? id : undefined;
}

/** A lease that etcd never gives: no key has it, and none can get it. */
const UNKNOWN = -1n;

/** The lease as etcd's requests have it: 0 for none. */
export function leaseNumber(lease: LeaseId | undefined): bigint {
  return lease === undefined ? 0n : (fromLeaseId(lease) ?? UNKNOWN);
}
