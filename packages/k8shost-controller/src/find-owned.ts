import type { LoadBalancer } from "@fiberlb/api";

import type { ActualLoadBalancer } from "./actual.ts";
import type { Wanted } from "./desired.ts";
import type { EntityCache } from "./entity-cache.ts";
import type { ObjectKey, ObjectMeta } from "./objects.ts";
import type { OwnershipIndex } from "./ownership-index.ts";
import { hasTags, loadBalancerName, MANAGED_BY, SERVICE } from "./ownership.ts";
import { fits } from "./plan.ts";
import { findLoadBalancer, readOne, withoutChildren } from "./read-actual.ts";
import type { TenantApi } from "./tenant-api.ts";

/** Whose load balancers are looked for. */
export interface FindOptions {
  readonly key: ObjectKey;
  readonly meta: ObjectMeta;
  readonly wanted: Wanted;
  readonly owner: string;
  readonly index: OwnershipIndex;
  readonly cache: EntityCache;
  /** Without what is below them. */
  readonly isShallow?: boolean;
}

/**
 * The load balancers that were made for a Service. Those that are known are read by id, one that an answer got lost of is found
 * by its name; only where a mistake could not be mended are all of the tenant looked through.
 */
export async function findOwned(api: TenantApi, find: FindOptions): Promise<readonly ActualLoadBalancer[]> {
  const { key, wanted, index, cache, isShallow = false } = find;
  const isThorough = wanted.kind === "nothing" || !index.isCompleteFor(key);
  const found = isThorough ? await allTagged(api, find) : await known(api, find);
  return isShallow ? found.map(withoutChildren) : Promise.all(found.map((one) => readOne(api, one, cache)));
}

async function known(api: TenantApi, find: FindOptions): Promise<readonly LoadBalancer[]> {
  const { key, index } = find;
  const found: LoadBalancer[] = [];
  for (const id of index.idsOf(key)) {
    const loadBalancer = await findLoadBalancer(api, id);
    if (loadBalancer === undefined) index.remove(key, id);
    else if (hasTags(loadBalancer.tags, tagsOf(find))) found.push(loadBalancer);
  }
  const wish = find.wanted.kind === "load-balancer" ? find.wanted.desired : undefined;
  if (wish === undefined || found.some((one) => fits(wish, one))) return found;
  return [...found, ...(await byName(api, find)).filter(({ id }) => found.every((one) => one.id !== id))];
}

async function byName(api: TenantApi, find: FindOptions): Promise<readonly LoadBalancer[]> {
  const { wanted, meta } = find;
  if (wanted.kind !== "load-balancer") return [];
  const name = loadBalancerName(meta, wanted.desired);
  return remember(await api.list("loadBalancer", { name, tags: tagsOf(find) }), find);
}

const allTagged = async (api: TenantApi, find: FindOptions): Promise<readonly LoadBalancer[]> =>
  remember(await api.list("loadBalancer", { tags: tagsOf(find) }), find);

function remember(found: readonly LoadBalancer[], { key, index }: FindOptions): readonly LoadBalancer[] {
  const ids = new Set(found.map(({ id }) => id));
  for (const id of ids) index.add(key, id);
  return found;
}

const tagsOf = ({ key, owner }: FindOptions) => ({
  [MANAGED_BY]: owner,
  [SERVICE]: `${key.namespace}/${key.name}`,
});
