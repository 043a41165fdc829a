import { absent, prefixRange, put, remove, removeRange, type Store } from "@fiberlb/store";
import { alreadyExists, type IpAddress, type LoadBalancer } from "@fiberlb/types";

import type { Clock } from "../clock.ts";
import { allocateVip, type VipDecision, type VipRequest } from "../vip/allocator.ts";
import type { VipPoolRanges } from "../vip/pool-ranges.ts";
import { encodeJson, encodeText } from "./codec.ts";
import type { Stored } from "./entity-reader.ts";
import { healthPrefix, vipPoolTouchKey, vipReleasedKey, vipUsedKey } from "./keys.ts";
import type { VipLedger, VipRelease, VipUse } from "./vip-ledger.ts";
import type { StoredRanges, VipPools } from "./vip-pools.ts";
import { vipRefusal } from "./vip-refusals.ts";
import type { Creation, Extension, KindHooks } from "./write-context.ts";

export interface VipHookOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly ledger: VipLedger;
  readonly pools: VipPools;
  readonly reuseDelayMs: number;
}

/** A load balancer takes its VIP with the transaction that creates it, and gives it back with the one that removes it. */
export function vipHooks(options: VipHookOptions): KindHooks<"loadBalancer"> {
  /** Addresses chosen by creates of this process that have not been committed, by load balancer id. */
  const chosen = new Map<string, IpAddress>();
  return {
    async create(creation) {
      const { location, validateOnly } = creation;
      await reconsider(options, chosen.get(location.id));
      const pools = await options.pools.ranges();
      const reserve = (address: IpAddress): void => {
        if (validateOnly) return;
        chosen.set(location.id, address);
        options.ledger.noteUsed(address);
      };
      const decision = await decide(options, { pools, request: wanted(creation), reserve });
      if (!decision.ok) throw vipRefusal(decision.refusal);
      return {
        record: { vipAddress: decision.address, vipPool: decision.pool },
        ...takeVip(creation, decision, pools),
      };
    },
    settled(id) {
      const address = chosen.get(id);
      chosen.delete(id);
      // What the store says comes by the watch; an address whose create failed is free again.
      if (address !== undefined) void reconsider(options, address).catch(() => options.ledger.noteUsed(address));
    },
    remove: (stored) => giveBack(options, stored),
  };
}

const wanted = ({ spec }: Creation<"loadBalancer">): VipRequest => ({
  address: spec.vipAddress,
  pool: spec.vipPool,
  family: spec.ipFamily,
});

/** After a lost race: whether our address is the one that somebody else got. */
async function reconsider({ store, ledger }: VipHookOptions, address: IpAddress | undefined): Promise<void> {
  if (address === undefined) return;
  const { kv } = await store.get(vipUsedKey(address));
  if (kv === undefined) ledger.noteFree(address);
}

interface Asked {
  readonly pools: readonly VipPoolRanges[];
  readonly request: VipRequest;
  /** Called in the same turn as the choice, so that creates that run at once don't choose alike. */
  readonly reserve: (address: IpAddress) => void;
}

/** A refusal is only believed when the ledger is fresh. */
async function decide(options: VipHookOptions, { pools, request, reserve }: Asked): Promise<VipDecision> {
  const { ledger, clock, reuseDelayMs } = options;
  const ask = (): VipDecision => {
    const state = { pools, occupancy: ledger.occupancy, nowMs: clock.epochMs(), reuseDelayMs };
    const decision = allocateVip(state, request);
    if (decision.ok) reserve(decision.address);
    return decision;
  };
  const first = ask();
  if (first.ok || (first.refusal.reason !== "in-use" && first.refusal.reason !== "exhausted")) return first;
  if (request.address === undefined) await ledger.reload();
  else await reconsider(options, request.address);
  return ask();
}

function takeVip(
  { tenant, location, spec }: Creation<"loadBalancer">,
  { address, pool }: VipDecision & { readonly ok: true },
  pools: readonly StoredRanges[],
): Extension {
  const key = vipUsedKey(address);
  const use: VipUse = { ...tenant, loadBalancerId: location.id, pool };
  const otherwise = spec.vipAddress === undefined ? undefined : alreadyExists(`VIP ${address}`);
  return {
    conditions: [
      { compare: absent(key), otherwise },
      ...pools.flatMap(({ name, guard }) => (name === pool ? [guard] : [])),
    ],
    ops: [
      put(key, encodeJson(use)),
      remove(vipReleasedKey(address)),
      put(vipPoolTouchKey(pool), encodeText(location.id)),
    ],
  };
}

async function giveBack(
  { store, clock, reuseDelayMs }: VipHookOptions,
  { entity, location }: Stored<"loadBalancer">,
): Promise<Extension> {
  const { vipAddress }: LoadBalancer = entity;
  const freed = [remove(vipUsedKey(vipAddress)), removeRange(prefixRange(healthPrefix(location.id)))];
  if (reuseDelayMs <= 0) return { ops: freed };
  const release: VipRelease = { releasedAtMs: clock.epochMs() };
  const lease = await store.grantLease(reuseDelayMs);
  return { ops: [...freed, put(vipReleasedKey(vipAddress), encodeJson(release), { lease })] };
}
