import { formatHostPort } from "@fiberlb/types";

import type { ActualBackend, ActualLoadBalancer } from "./actual.ts";
import { updateOf } from "./changes.ts";
import type { DesiredBackend, PortEndpoints } from "./endpoints.ts";
import type { ObjectMeta } from "./objects.ts";
import { type Operation, PHASES } from "./operations.ts";
import { MANAGED_BY, portTags, SERVICE_PORT } from "./ownership.ts";
import type { PoolContext } from "./plan-health-check.ts";

/** The backends of one pool: new ones first, those whose Pod has gone last. */
export function planBackends(wanted: readonly DesiredBackend[], context: PoolContext): readonly Operation[] {
  const actual = context.pool?.backends ?? [];
  const existing = new Map(actual.map((one) => [formatHostPort(one.address, one.port), one]));
  const staying = new Set(wanted.map(({ address, port }) => formatHostPort(address, port)));
  return [
    ...wanted.flatMap((one) => planBackend(one, existing.get(formatHostPort(one.address, one.port)), context)),
    ...actual
      .filter((one) => one.tags[MANAGED_BY] === context.owner && !staying.has(formatHostPort(one.address, one.port)))
      .map(({ id, name }): Operation => ({
        type: "delete",
        kind: "backend",
        phase: PHASES.backendDeletes,
        label: `backend ${name}`,
        id,
      })),
  ];
}

const SERVING_WEIGHT = 1;

function planBackend(
  { address, port, name, isDraining, monitorPort }: DesiredBackend,
  actual: ActualBackend | undefined,
  { poolId, tags, owner }: PoolContext,
): readonly Operation[] {
  const common = { kind: "backend", phase: PHASES.backends, label: `backend ${name}` } as const;
  const weight = isDraining ? 0 : SERVING_WEIGHT;
  if (actual === undefined || actual.tags[MANAGED_BY] !== owner) {
    if (isDraining) return [];
    return [{ ...common, type: "create", fields: { poolId, name, tags, address, port, weight, monitorPort } }];
  }
  return updateOf(common, actual, {
    ...(actual.weight !== weight && { weight }),
    ...(actual.name !== name && { name }),
    ...(actual.monitorPort !== monitorPort && { monitorPort }),
  });
}

/** Only the backends, of pools that are there: for a Service that asks for something impossible beside. */
export function planEndpoints(
  ports: readonly PortEndpoints[],
  { meta, owner, actual }: { readonly meta: ObjectMeta; readonly owner: string; readonly actual: ActualLoadBalancer },
): readonly Operation[] {
  return ports.flatMap(({ port, backends }) =>
    actual.pools
      .filter(({ tags }) => tags[MANAGED_BY] === owner && tags[SERVICE_PORT] === port)
      .flatMap((pool) => planBackends(backends, { pool, poolId: pool.id, tags: portTags(owner, meta, port), owner })),
  );
}
