import {
  type AddressBounds,
  type AddressRange,
  type IpAddress,
  ipFamily,
  ipToBigInt,
  rangeBounds,
} from "@fiberlb/types";

/** A pool as the allocator sees it. */
export interface VipPoolRanges {
  readonly name: string;
  /** Networks and `a-b` ranges, in the order in which they are used up. */
  readonly cidrs: readonly AddressRange[];
  /** Whether load balancers that name no pool get addresses from it. */
  readonly autoAssign: boolean;
}

/** Where an address stands towards a pool. Reserved: the network, broadcast or subnet-router address of its network. */
export type Membership = "assignable" | "reserved" | "outside";

/**
 * The addresses of a network that hosts may have. Left out are the network and broadcast addresses of IPv4 networks up
 * to /30 (RFC 1122 §3.2.1.3; a /31 has none: RFC 3021) and the subnet-router anycast address of IPv6 networks up to /126
 * (RFC 4291 §2.6.1; a /127 has none: RFC 6164). An `a-b` range means every address that it names.
 */
export function assignableBounds(range: AddressRange): AddressBounds {
  const bounds = rangeBounds(range);
  if (!range.includes("/") || bounds.last - bounds.first < 3n) return bounds;
  const last = bounds.family === "IPV4" ? bounds.last - 1n : bounds.last;
  return { family: bounds.family, first: bounds.first + 1n, last };
}

/** Whether the pool may hand out the address. */
export function membership(pool: VipPoolRanges, address: IpAddress): Membership {
  const value = ipToBigInt(address);
  const family = ipFamily(address);
  const contains = (bounds: AddressBounds): boolean =>
    bounds.family === family && bounds.first <= value && value <= bounds.last;
  if (pool.cidrs.some((range) => contains(assignableBounds(range)))) return "assignable";
  return pool.cidrs.some((range) => contains(rangeBounds(range))) ? "reserved" : "outside";
}

/** How many addresses the pool can hand out; overlapping ranges count once. */
export function assignableCount(pool: VipPoolRanges): bigint {
  return mergedBounds(pool).reduce((total, { first, last }) => total + (last - first + 1n), 0n);
}

/** The pool's assignable addresses as disjoint stretches, lowest first. */
export function mergedBounds(pool: VipPoolRanges): AddressBounds[] {
  const merged: AddressBounds[] = [];
  for (const bounds of pool.cidrs.map(assignableBounds).toSorted(byFamilyAndFirst)) {
    const previous = merged.at(-1);
    if (previous === undefined || previous.family !== bounds.family || bounds.first > previous.last + 1n) {
      merged.push(bounds);
    } else if (bounds.last > previous.last) {
      merged[merged.length - 1] = { ...previous, last: bounds.last };
    }
  }
  return merged;
}

function byFamilyAndFirst(a: AddressBounds, b: AddressBounds): number {
  if (a.family !== b.family) return a.family < b.family ? -1 : 1;
  return a.first < b.first ? -1 : a.first > b.first ? 1 : 0;
}
