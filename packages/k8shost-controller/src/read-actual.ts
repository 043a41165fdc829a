import { Code } from "@connectrpc/connect";
import type { Backend, LoadBalancer } from "@fiberlb/api";
import { ProvisioningStatusSchema, shortName } from "@fiberlb/api";

import type { ActualBackend, ActualHealthCheck, ActualListener, ActualLoadBalancer, ActualPool } from "./actual.ts";
import type { EntityCache } from "./entity-cache.ts";
import { codeOf } from "./failure.ts";
import { MANAGED_BY } from "./ownership.ts";
import type { Messages, TenantApi } from "./tenant-api.ts";

/** Everything that this controller keeps for a tenant: each kind listed once. */
export async function readAll(
  api: TenantApi,
  { owner, cache }: { readonly owner: string; readonly cache: EntityCache },
): Promise<readonly ActualLoadBalancer[]> {
  const filter = { tags: { [MANAGED_BY]: owner } };
  // Children are read after their load balancer, so that none seems to have fewer than it had when it was read.
  const loadBalancers = await api.list("loadBalancer", filter);
  if (loadBalancers.length === 0) return [];
  const [listeners, pools, backends, healthChecks] = await Promise.all([
    api.list("listener", filter),
    api.list("pool", filter),
    api.list("backend", filter),
    api.list("healthCheck", filter),
  ]);
  return assemble(loadBalancers, { listeners, pools, backends, healthChecks }, cache);
}

/** One load balancer with everything below it, whoever made that. */
export async function readOne(
  api: TenantApi,
  loadBalancer: LoadBalancer,
  cache: EntityCache,
): Promise<ActualLoadBalancer> {
  const filter = { loadBalancerId: loadBalancer.id };
  const [listeners, pools] = await Promise.all([api.list("listener", filter), api.list("pool", filter)]);
  const below = await Promise.all(
    pools.map(async ({ id: poolId }) => {
      const [backends, healthChecks] = await Promise.all([
        api.list("backend", { poolId }),
        api.list("healthCheck", { poolId }),
      ]);
      return { backends, healthChecks };
    }),
  );
  const backends = below.flatMap((each) => each.backends);
  const healthChecks = below.flatMap((each) => each.healthChecks);
  return assemble([loadBalancer], { listeners, pools, backends, healthChecks }, cache)[0]!;
}

/** For those who only look at its status. */
export const withoutChildren = (loadBalancer: LoadBalancer): ActualLoadBalancer => ({
  ...common(loadBalancer),
  vipAddress: loadBalancer.vipAddress,
  vipPool: loadBalancer.vipPool,
  provisioningStatus: provisioningName(loadBalancer),
  statusReason: loadBalancer.statusReason,
  listeners: [],
  pools: [],
});

/** Undefined when it does not exist. */
export async function findLoadBalancer(api: TenantApi, id: string): Promise<LoadBalancer | undefined> {
  try {
    return await api.getLoadBalancer(id);
  } catch (error) {
    if (codeOf(error) === Code.NotFound) return undefined;
    throw error;
  }
}

interface Children {
  readonly listeners: readonly Messages["listener"][];
  readonly pools: readonly Messages["pool"][];
  readonly backends: readonly Messages["backend"][];
  readonly healthChecks: readonly Messages["healthCheck"][];
}

function assemble(
  loadBalancers: readonly LoadBalancer[],
  children: Children,
  cache: EntityCache,
): readonly ActualLoadBalancer[] {
  const listeners = Map.groupBy(children.listeners, ({ loadBalancerId }) => loadBalancerId);
  const pools = Map.groupBy(children.pools, ({ loadBalancerId }) => loadBalancerId);
  const backends = Map.groupBy(children.backends, ({ poolId }) => poolId);
  const healthChecks = new Map(children.healthChecks.map((one) => [one.poolId, one]));
  const toPool = (pool: Messages["pool"]): ActualPool => ({
    ...common(pool),
    loadBalancerId: pool.loadBalancerId,
    fields: cache.fieldsOf("pool", pool),
    backends: (backends.get(pool.id) ?? []).map(toBackend),
    healthCheck: toHealthCheck(healthChecks.get(pool.id), cache),
  });
  return loadBalancers.map((one) => ({
    ...withoutChildren(one),
    listeners: (listeners.get(one.id) ?? []).map((listener) => toListener(listener, cache)),
    pools: (pools.get(one.id) ?? []).map(toPool),
  }));
}

const provisioningName = ({ provisioningStatus }: LoadBalancer): string =>
  shortName(ProvisioningStatusSchema, ProvisioningStatusSchema.value[provisioningStatus]?.name ?? "");

const common = ({ id, name, revision, tags }: Messages[keyof Messages]) => ({
  id,
  name,
  revision: Number(revision),
  tags,
});

const toListener = (listener: Messages["listener"], cache: EntityCache): ActualListener => ({
  ...common(listener),
  loadBalancerId: listener.loadBalancerId,
  defaultPoolId: listener.defaultPoolId,
  fields: cache.fieldsOf("listener", listener),
});

const toBackend = (backend: Backend): ActualBackend => ({
  ...common(backend),
  poolId: backend.poolId,
  address: backend.address,
  port: backend.port,
  weight: backend.weight ?? 1,
  monitorPort: backend.monitorPort,
});

function toHealthCheck(
  healthCheck: Messages["healthCheck"] | undefined,
  cache: EntityCache,
): ActualHealthCheck | undefined {
  if (healthCheck === undefined) return undefined;
  return { ...common(healthCheck), poolId: healthCheck.poolId, fields: cache.fieldsOf("healthCheck", healthCheck) };
}
