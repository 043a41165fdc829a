import { chooseTableSize } from "@fiberlb/maglev";
import { prefixRange, put, type Store, unchanged } from "@fiberlb/store";
import { encodeEntity, type Pool, type PoolSpec } from "@fiberlb/types";

import type { Clock } from "../clock.ts";
import { unitTouch } from "./attachments.ts";
import type { EntityReader, Stored } from "./entity-reader.ts";
import { childrenPrefix, entityKey, type Location, type Tenant } from "./keys.ts";
import { type Plan, transact } from "./transaction.ts";
import type { KindHooks } from "./write-context.ts";

/** Whether the pool's clients are spread by a Maglev table. */
export const usesMaglevTable = ({ algorithm, sessionPersistence }: PoolSpec): boolean =>
  algorithm === "MAGLEV" || sessionPersistence?.type === "SOURCE_IP";

/**
 * The table size that a pool has from now on: the one asked for, else the one for this many backends. It does not shrink,
 * because another size moves nearly every flow.
 */
export function tableSize(pool: PoolSpec, at: { readonly backends: number; readonly current: number }): number {
  if (!usesMaglevTable(pool)) return at.current;
  return pool.maglev.tableSize === 0 ? Math.max(at.current, chooseTableSize(at.backends)) : pool.maglev.tableSize;
}

export function poolHooks(store: Store): KindHooks<"pool"> {
  return {
    async create({ spec }) {
      return { record: { maglev: withTableSize(spec, tableSize(spec, { backends: 0, current: 0 })) } };
    },
    async update({ before, after }) {
      const backends = await countBackends(store, before.tenant, before.location);
      const size = tableSize(after, { backends, current: before.entity.maglev.effectiveTableSize });
      return { entity: { ...after, maglev: withTableSize(after, size) } };
    },
  };
}

const withTableSize = ({ maglev }: PoolSpec, effectiveTableSize: number): Pool["maglev"] => ({
  ...maglev,
  effectiveTableSize,
});

async function countBackends(store: Store, tenant: Tenant, { id, loadBalancerId }: Location): Promise<number> {
  const prefix = childrenPrefix(tenant, { kind: "backend", loadBalancerId, parentId: id });
  return (await store.range({ ...prefixRange(prefix), countOnly: true })).count;
}

/** After a backend came: lets the pool's table grow. Counts after the commit, so that of two racers one counts both. */
export async function growTable(
  reader: EntityReader,
  clock: Clock,
  { tenant, location }: Stored<"backend">,
): Promise<void> {
  const { loadBalancerId, parentId } = location;
  const at: Location = { kind: "pool", id: parentId, loadBalancerId, parentId: loadBalancerId };
  const plan = async (): Promise<Plan<void>> => {
    const pool = await reader.at<"pool">(tenant, at);
    const nothing = { conditions: [], ops: [], result: undefined };
    if (pool === undefined || !usesMaglevTable(pool.entity)) return nothing;
    const current = pool.entity.maglev.effectiveTableSize;
    const size = tableSize(pool.entity, { backends: await countBackends(reader.store, tenant, at), current });
    if (size === current) return nothing;
    const grown = { ...pool.entity, maglev: withTableSize(pool.entity, size) };
    return {
      conditions: [{ compare: unchanged(entityKey(tenant, at), pool.modRevision) }],
      ops: [put(entityKey(tenant, at), encodeEntity("pool", grown)), ...unitTouch(tenant, at, clock)],
      result: undefined,
    };
  };
  await transact(reader.store, plan, { what: `pool ${parentId}` });
}
