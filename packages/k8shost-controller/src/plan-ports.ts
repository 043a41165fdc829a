import type { ActualListener, ActualLoadBalancer, ActualPool } from "./actual.ts";
import { changed, changedTags, updateOf } from "./changes.ts";
import { OWNED } from "./desired-fields.ts";
import type { DesiredPort } from "./desired.ts";
import type { ObjectMeta } from "./objects.ts";
import { type Operation, PHASES, type Reference } from "./operations.ts";
import { MANAGED_BY, portTags, SERVICE_PORT, type Tags } from "./ownership.ts";
import { planBackends } from "./plan-backends.ts";
import { planHealthCheck } from "./plan-health-check.ts";

/** For which Service, and on which load balancer; absent: on the one that is yet to be made. */
export interface PlanContext {
  readonly meta: ObjectMeta;
  readonly owner: string;
  readonly actual: ActualLoadBalancer | undefined;
}

/** Everything below a load balancer: what is wanted and what has to go. */
export function planPorts(ports: readonly DesiredPort[], context: PlanContext): readonly Operation[] {
  const { owner, actual } = context;
  const isOurs = ({ tags }: { readonly tags: Tags }): boolean => tags[MANAGED_BY] === owner;
  const places = ports.map((port) => ({ port, pool: poolOf(port, context), listener: listenerOf(port, actual) }));
  const kept = new Set(places.flatMap(({ pool, listener }) => [pool?.id, listener?.id]));
  const surplus = (actual?.listeners ?? []).filter((one) => isOurs(one) && !kept.has(one.id));
  return [
    ...places.flatMap((place) => planPort(place, context)),
    ...surplus.map((one) => listenerDeletion(one, ports)),
    ...(actual?.pools ?? [])
      .filter((one) => isOurs(one) && !kept.has(one.id))
      .map(({ id, name }): Operation => ({
        type: "delete",
        kind: "pool",
        phase: PHASES.poolDeletes,
        label: `pool ${name}`,
        id,
      })),
  ];
}

const poolOf = ({ port, pool }: DesiredPort, { owner, actual }: PlanContext): ActualPool | undefined =>
  actual?.pools.find(
    ({ tags, fields }) =>
      tags[MANAGED_BY] === owner && tags[SERVICE_PORT] === port && fields["protocol"] === pool.protocol,
  );

const listenerOf = ({ listener }: DesiredPort, actual: ActualLoadBalancer | undefined): ActualListener | undefined =>
  actual?.listeners.find(({ fields }) => fields["protocol"] === listener.protocol && fields["port"] === listener.port);

interface Place {
  readonly port: DesiredPort;
  readonly pool: ActualPool | undefined;
  readonly listener: ActualListener | undefined;
}

function planPort({ port, pool, listener }: Place, context: PlanContext): readonly Operation[] {
  // Two load balancers of one Service, while its VIP changes, have pools for the same port.
  const poolRef = `pool ${context.actual?.id ?? ""} ${port.port} ${port.pool.protocol}`;
  const poolId: string | Reference = pool?.id ?? { ref: poolRef };
  const tags = portTags(context.owner, context.meta, port.port);
  return [
    ...planPool(port, pool, { ...context, tags, ref: poolRef }),
    ...planHealthCheck(port.healthCheck, { pool, poolId, tags, owner: context.owner }),
    ...planBackends(port.backends, { pool, poolId, tags, owner: context.owner }),
    ...planListener(port, listener, { ...context, tags, poolId }),
  ];
}

const parentOf = ({ actual }: PlanContext): string | Reference => actual?.id ?? { ref: "loadBalancer" };

function planPool(
  { pool: fields }: DesiredPort,
  pool: ActualPool | undefined,
  context: PlanContext & { readonly tags: Tags; readonly ref: string },
): readonly Operation[] {
  const { tags, ref } = context;
  const port = tags[SERVICE_PORT]?.split("/")[1];
  const name = `${fields.protocol.toLowerCase()}-${port}`;
  const common = { kind: "pool", phase: PHASES.pools, label: `pool ${name}` } as const;
  if (pool === undefined) {
    return [{ ...common, type: "create", ref, fields: { loadBalancerId: parentOf(context), name, tags, ...fields } }];
  }
  return updateOf(common, pool, { ...changed(fields, pool.fields, OWNED.pool), ...changedTags(tags, pool.tags) });
}

function planListener(
  { listener: fields }: DesiredPort,
  listener: ActualListener | undefined,
  context: PlanContext & { readonly tags: Tags; readonly poolId: string | Reference },
): readonly Operation[] {
  const { tags, poolId } = context;
  const name = `${fields.protocol.toLowerCase()}-${fields.port}`;
  const common = { kind: "listener", phase: PHASES.listeners, label: `listener ${name}` } as const;
  if (listener === undefined || listener.tags[MANAGED_BY] !== context.owner) {
    const loadBalancerId = parentOf(context);
    return [{ ...common, type: "create", fields: { loadBalancerId, name, tags, defaultPoolId: poolId, ...fields } }];
  }
  return updateOf(common, listener, {
    ...changed(fields, listener.fields, OWNED.listener),
    ...(listener.defaultPoolId !== poolId && { defaultPoolId: poolId }),
    ...changedTags(tags, listener.tags),
  });
}

/** One that holds the port of another with another protocol has to go first; the others go when their successors serve. */
function listenerDeletion({ id, name, fields }: ActualListener, ports: readonly DesiredPort[]): Operation {
  const transport = (protocol: unknown): string => (protocol === "UDP" ? "UDP" : "TCP");
  const isInTheWay = ports.some(
    ({ listener }) =>
      listener.port === fields["port"] && transport(listener.protocol) === transport(fields["protocol"]),
  );
  const phase = isInTheWay ? PHASES.listenerReplacements : PHASES.listenerDeletes;
  return { type: "delete", kind: "listener", phase, label: `listener ${name}`, id };
}
