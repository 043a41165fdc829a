import { absent, type KeyValue, type Op, prefixRange, put, remove, type Store, unchanged } from "@fiberlb/store";
import {
  alreadyExists,
  applyUpdate,
  createEntity,
  decodeEntity,
  encodeEntity,
  failedPrecondition,
  type IdGenerator,
  invalid,
  type VipPool,
  type VipPoolId,
  type VipPoolSpec,
  type VipPoolStatus,
} from "@fiberlb/types";

import type { Clock } from "../clock.ts";
import { assignableCount, membership, type VipPoolRanges } from "../vip/pool-ranges.ts";
import { decodeJson, encodeText } from "./codec.ts";
import { timeOfId } from "./ids.ts";
import { addressOfKey, VIP_POOL_PREFIX, VIP_USED_PREFIX, vipPoolKey, vipPoolNameKey, vipPoolTouchKey } from "./keys.ts";
import { entityNotFound, nameOf, staleRevision } from "./refusals.ts";
import { type Condition, type Plan, transact } from "./transaction.ts";
import type { VipUse } from "./vip-ledger.ts";

interface StoredPool {
  readonly pool: VipPool;
  readonly modRevision: number;
}

/** A pool's ranges, and the condition that they are still these. */
export interface StoredRanges extends VipPoolRanges {
  readonly guard: Condition;
}

/** The installation's VIP pools. They belong to no tenant. */
export class VipPools {
  readonly #store: Store;
  readonly #ids: IdGenerator;
  readonly #clock: Clock;

  constructor(store: Store, { ids, clock }: { readonly ids: IdGenerator; readonly clock: Clock }) {
    this.#store = store;
    this.#ids = ids;
    this.#clock = clock;
  }

  /** In order of creation. */
  async list(): Promise<VipPool[]> {
    return (await this.#stored()).map(({ pool }) => pool);
  }

  /** As the allocator takes them. */
  async ranges(): Promise<StoredRanges[]> {
    const stored = await this.#stored();
    return stored.map(({ pool, modRevision }) => ({
      ...pool,
      guard: { compare: unchanged(vipPoolKey(pool.id), modRevision) },
    }));
  }

  /** By id or name. @throws DomainError `not-found` */
  async require(idOrName: string): Promise<StoredPool> {
    const found = (await this.#stored()).find(({ pool }) => pool.id === idOrName || pool.name === idOrName);
    if (found === undefined) throw entityNotFound("vipPool", idOrName);
    return found;
  }

  /** How full each pool is, by name. */
  async fillings(pools: readonly VipPool[]): Promise<Map<string, VipPoolStatus>> {
    const used = new Map<string, bigint>();
    for (const { value } of await this.#uses()) {
      const { pool } = decodeJson(value) as VipUse;
      used.set(pool, (used.get(pool) ?? 0n) + 1n);
    }
    const filling = (pool: VipPool): VipPoolStatus => ({
      addressesTotal: assignableCount(pool),
      addressesUsed: used.get(pool.name) ?? 0n,
    });
    return new Map(pools.map((pool) => [pool.name, filling(pool)]));
  }

  async create(spec: VipPoolSpec, { validateOnly }: { readonly validateOnly: boolean }): Promise<VipPool> {
    const id = this.#ids.next<VipPoolId>();
    const createdAt = timeOfId(id);
    const pool = createEntity("vipPool", spec, { id, name: spec.name, revision: 1, createdAt, updatedAt: createdAt });
    const free: Condition = {
      compare: absent(vipPoolNameKey(pool.name)),
      otherwise: alreadyExists(`VIP pool name ${JSON.stringify(pool.name)}`),
    };
    const ops = [put(vipPoolKey(id), encodeEntity("vipPool", pool)), put(vipPoolNameKey(pool.name), encodeText(id))];
    const plan = async (): Promise<Plan<VipPool>> => ({ conditions: [free], ops, result: pool });
    return (await transact(this.#store, plan, { what: nameOf("vipPool", pool), validateOnly })).result;
  }

  /** @throws DomainError `failed-precondition` when an address that is in use would be in no range any more. */
  async update(request: VipPoolUpdate): Promise<VipPool> {
    const { id, validateOnly } = request;
    const plan = (): Promise<Plan<VipPool>> => this.#planUpdate(request);
    return (await transact(this.#store, plan, { what: `VIP pool ${id}`, validateOnly })).result;
  }

  async remove(id: string, { validateOnly }: { readonly validateOnly: boolean }): Promise<void> {
    const plan = async (): Promise<Plan<void>> => {
      const { pool, modRevision } = await this.require(id);
      const untouched = await this.#untouched(pool);
      await this.#refuseOrphans(pool, undefined);
      const ops: Op[] = [vipPoolKey(pool.id), vipPoolNameKey(pool.name), vipPoolTouchKey(pool.name)].map((key) =>
        remove(key),
      );
      return { conditions: [...this.#conditions(pool, modRevision), untouched], ops, result: undefined };
    };
    await transact(this.#store, plan, { what: `VIP pool ${id}`, validateOnly });
  }

  async #planUpdate({ id, revision, patch, mask }: VipPoolUpdate): Promise<Plan<VipPool>> {
    const { pool, modRevision } = await this.require(id);
    const current = pool.revision;
    if (revision !== undefined && revision !== current) {
      throw staleRevision(nameOf("vipPool", pool), { sent: revision, current });
    }
    const updated = applyUpdate("vipPool", pool, patch, mask);
    if (!updated.ok) throw invalid(updated.violations);
    const untouched = await this.#untouched(pool);
    await this.#refuseOrphans(pool, updated.value);
    const updatedAt = new Date(this.#clock.epochMs()).toISOString();
    const result = { ...updated.value, revision: current + 1, updatedAt };
    const ops = [put(vipPoolKey(pool.id), encodeEntity("vipPool", result))];
    return { conditions: [...this.#conditions(pool, modRevision), untouched], ops, result };
  }

  #conditions(pool: VipPool, modRevision: number): Condition[] {
    return [{ compare: unchanged(vipPoolKey(pool.id), modRevision) }];
  }

  /** Nobody takes an address of the pool between our look and our commit. */
  async #untouched(pool: VipPool): Promise<Condition> {
    const key = vipPoolTouchKey(pool.name);
    const { kv } = await this.#store.get(key);
    return { compare: unchanged(key, kv?.modRevision ?? 0) };
  }

  async #refuseOrphans(pool: VipPool, next: VipPool | undefined): Promise<void> {
    const used = (await this.#uses())
      .filter(({ value }) => (decodeJson(value) as VipUse).pool === pool.name)
      .map(({ key }) => addressOfKey(key));
    const orphans = used.filter((address) => next === undefined || membership(next, address) !== "assignable");
    const [first] = orphans;
    if (first === undefined) return;
    const more = orphans.length > 1 ? ` and ${orphans.length - 1} more are` : " is";
    throw failedPrecondition(
      next === undefined ? "delete" : "change",
      nameOf("vipPool", pool),
      `${first}${more} in use`,
    );
  }

  async #uses(): Promise<readonly KeyValue[]> {
    return (await this.#store.range(prefixRange(VIP_USED_PREFIX))).kvs;
  }

  async #stored(): Promise<StoredPool[]> {
    const { kvs } = await this.#store.range(prefixRange(VIP_POOL_PREFIX));
    return kvs.map(({ value, modRevision }) => ({ pool: decodeEntity("vipPool", value), modRevision }));
  }
}

export interface VipPoolUpdate {
  /** Id or name. */
  readonly id: string;
  readonly revision?: number | undefined;
  readonly patch: unknown;
  readonly mask: readonly string[];
  readonly validateOnly: boolean;
}
