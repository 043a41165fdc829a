import { type IpAddress, type IpFamily, ipFamily, ipFromBigInt, ipToBigInt } from "@fiberlb/types";

import type { AddressSet } from "./address-set.ts";
import { assignableBounds, membership, type VipPoolRanges } from "./pool-ranges.ts";

/** Which addresses cannot simply be handed out, per family. */
export interface VipOccupancy {
  /** In use now. */
  readonly used: Readonly<Record<IpFamily, AddressSet>>;
  /** Given back: address → when, in milliseconds since 1970. */
  readonly released: ReadonlyMap<IpAddress, number>;
}

/** What a load balancer wants. */
export interface VipRequest {
  /** This address and no other. */
  readonly address?: IpAddress | undefined;
  /** Name of the pool; absent: the pools with `autoAssign`, in their order. */
  readonly pool?: string | undefined;
  /** Absent: that of `address`, else IPV4. */
  readonly family?: IpFamily | undefined;
}

/** What the allocator judges by. */
export interface VipState {
  /** Order matters: the first pool with a free address is used. */
  readonly pools: readonly VipPoolRanges[];
  readonly occupancy: VipOccupancy;
  /** Now, in milliseconds since 1970. */
  readonly nowMs: number;
  /** A released address is not handed out again for so long, unless asked for by name. */
  readonly reuseDelayMs: number;
}

/** Why there is no address. */
export type VipRefusal =
  | { readonly reason: "unknown-pool"; readonly pool: string; readonly known: readonly string[] }
  /** In no pool, or not in the pool that was named. */
  | { readonly reason: "not-in-pool"; readonly address: IpAddress; readonly pool?: string | undefined }
  /** A network, broadcast or subnet-router anycast address. */
  | { readonly reason: "reserved"; readonly address: IpAddress; readonly pool: string }
  | { readonly reason: "in-use"; readonly address: IpAddress }
  /** The address asked for is not of the family asked for. */
  | { readonly reason: "wrong-family"; readonly address: IpAddress; readonly family: IpFamily }
  /** No pool holds addresses of this family: the named one does not, or none with `autoAssign` does. */
  | { readonly reason: "no-pool-of-family"; readonly family: IpFamily; readonly pool?: string | undefined }
  /** All addresses are in use, or were given back less than the reuse delay ago. */
  | {
      readonly reason: "exhausted";
      readonly pools: readonly string[];
      readonly family: IpFamily;
      /** When the next released address may be handed out, in milliseconds from now; absent when none is waiting. */
      readonly retryAfterMs?: number;
    };

/** An address and the pool it is of, or why there is none. */
export type VipDecision =
  | { readonly ok: true; readonly address: IpAddress; readonly pool: string }
  | { readonly ok: false; readonly refusal: VipRefusal };

/**
 * Chooses a VIP. Pure, and O(log n) in the addresses used, whatever the size of the pools.
 *
 * The lowest free address of the first range that has one is taken, as people expect of a fresh pool and as MetalLB does.
 * What "next after the last" would add, that a freed address is not reused at once, is the reuse delay's task.
 */
export function allocateVip(state: VipState, request: VipRequest): VipDecision {
  const pools = request.pool === undefined ? state.pools : state.pools.filter(({ name }) => name === request.pool);
  if (request.pool !== undefined && pools.length === 0) {
    const known = state.pools.map(({ name }) => name);
    return refuse({ reason: "unknown-pool", pool: request.pool, known });
  }
  if (request.address !== undefined)
    return checkAsked(state.occupancy, pools, { ...request, address: request.address });
  const candidates = request.pool === undefined ? pools.filter(({ autoAssign }) => autoAssign) : pools;
  return assignLowest(state, candidates, request);
}

function checkAsked(
  occupancy: VipOccupancy,
  pools: readonly VipPoolRanges[],
  { address, pool: poolName, family }: VipRequest & { readonly address: IpAddress },
): VipDecision {
  if (family !== undefined && family !== ipFamily(address)) return refuse({ reason: "wrong-family", address, family });
  const pool = pools.find((candidate) => membership(candidate, address) === "assignable");
  if (pool === undefined) {
    const reserving = pools.find((candidate) => membership(candidate, address) === "reserved");
    if (reserving !== undefined) return refuse({ reason: "reserved", address, pool: reserving.name });
    return refuse({ reason: "not-in-pool", address, pool: poolName });
  }
  if (occupancy.used[ipFamily(address)].has(ipToBigInt(address))) return refuse({ reason: "in-use", address });
  return { ok: true, address, pool: pool.name };
}

function assignLowest(state: VipState, candidates: readonly VipPoolRanges[], request: VipRequest): VipDecision {
  const family = request.family ?? "IPV4";
  const tried: string[] = [];
  let retryAfterMs = Number.POSITIVE_INFINITY;
  for (const pool of candidates) {
    const stretches = pool.cidrs.map(assignableBounds).filter((bounds) => bounds.family === family);
    if (stretches.length > 0) tried.push(pool.name);
    for (const stretch of stretches) {
      const found = lowestFree(state, stretch);
      if (found.address !== undefined) return { ok: true, address: found.address, pool: pool.name };
      retryAfterMs = Math.min(retryAfterMs, found.retryAfterMs);
    }
  }
  if (tried.length === 0) return refuse({ reason: "no-pool-of-family", family, pool: request.pool });
  const waiting = Number.isFinite(retryAfterMs) ? { retryAfterMs } : {};
  return refuse({ reason: "exhausted", pools: tried, family, ...waiting });
}

type Search = { readonly address: IpAddress } | { readonly address?: undefined; readonly retryAfterMs: number };

/** Costs one step more for each lower address that is free but still within its reuse delay. */
function lowestFree(state: VipState, stretch: { family: IpFamily; first: bigint; last: bigint }): Search {
  const used = state.occupancy.used[stretch.family];
  let retryAfterMs = Number.POSITIVE_INFINITY;
  let gap = used.firstGap(stretch.first, stretch.last);
  while (gap !== undefined) {
    const address = ipFromBigInt(gap, stretch.family);
    const waitMs =
      (state.occupancy.released.get(address) ?? Number.NEGATIVE_INFINITY) + state.reuseDelayMs - state.nowMs;
    if (waitMs <= 0) return { address };
    retryAfterMs = Math.min(retryAfterMs, waitMs);
    gap = used.firstGap(gap + 1n, stretch.last);
  }
  return { retryAfterMs };
}

const refuse = (refusal: VipRefusal): VipDecision => ({ ok: false, refusal });
