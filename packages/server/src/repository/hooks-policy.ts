import { put, remove, unchanged } from "@fiberlb/store";

import { encodeJson } from "./codec.ts";
import type { EntityReader, PolicyOrder } from "./entity-reader.ts";
import { type Location, policyOrderKey, type Tenant } from "./keys.ts";
import type { Extension, KindHooks } from "./write-context.ts";

/** A listener's policies are in the order of one list; inserting, moving and removing rewrite the list and no policy. */
export function policyHooks(reader: EntityReader): KindHooks<"l7Policy"> {
  return {
    async create({ tenant, location, spec }) {
      const order = await readOrder(reader, tenant, location);
      const ids = insertAt(order.ids, location.id, spec.position);
      return { record: { position: ids.indexOf(location.id) + 1 }, ...writeOrder(tenant, location, { order, ids }) };
    },
    async update({ before, after }) {
      if (after.position === before.entity.position) return {};
      const { tenant, location } = before;
      const order = await readOrder(reader, tenant, location);
      const others = order.ids.filter((id) => id !== location.id);
      const ids = insertAt(others, location.id, after.position);
      const entity = { ...after, position: ids.indexOf(location.id) + 1 };
      return { entity, ...writeOrder(tenant, location, { order, ids }) };
    },
    async remove({ tenant, location }) {
      const order = await readOrder(reader, tenant, location);
      return writeOrder(tenant, location, { order, ids: order.ids.filter((id) => id !== location.id) });
    },
  };
}

/** The list goes with its listener. */
export const listenerHooks: KindHooks<"listener"> = {
  remove: async ({ tenant, location: { id, loadBalancerId } }) => ({
    ops: [remove(policyOrderKey(tenant, { loadBalancerId, listenerId: id }))],
  }),
};

const readOrder = (
  reader: EntityReader,
  tenant: Tenant,
  { loadBalancerId, parentId }: Location,
): Promise<PolicyOrder> => reader.policyOrder(tenant, { loadBalancerId, listenerId: parentId });

/** Positions count from 1; 0, and any beyond the end, is the end. */
function insertAt(ids: readonly string[], id: string, position: number): string[] {
  const index = position === 0 ? ids.length : Math.min(position - 1, ids.length);
  return ids.toSpliced(index, 0, id);
}

function writeOrder(
  tenant: Tenant,
  { loadBalancerId, parentId }: Location,
  { order, ids }: { readonly order: PolicyOrder; readonly ids: readonly string[] },
): Extension {
  const key = policyOrderKey(tenant, { loadBalancerId, listenerId: parentId });
  return {
    conditions: [{ compare: unchanged(key, order.modRevision) }],
    ops: [put(key, encodeJson(ids))],
  };
}
