/**
 * Load balancers → the fragments of our table. Pure: what the kernel should hold depends on units, health and Maglev
 * tables alone, so that it can be compared, and tested, without a kernel.
 */
import type { ListenerUnit, PoolUnit, Unit } from "../../../snapshot/snapshot.ts";
import { isInService } from "../../rotation.ts";
import type { ServedFlows } from "./drains.ts";
import { type Endpoint, endpointKey, type FamilyWords, familyOf, type Transport } from "./family.ts";
import { flowKey } from "./flows.ts";
import type { ChainModel, Fragment, SetModel } from "./fragment.ts";
import { FLOW_SETS, REFUSALS } from "./hooks.ts";
import { idleKey, idleRule, type IdleTimeout } from "./idle-timeouts.ts";
import { listenerChain } from "./listener-chain.ts";
import { poolChoice, type PoolState, slotMapDeclaration, type Where } from "./pool-map.ts";

/** What a load balancer's fragment is made of. */
export interface FragmentSource {
  readonly unit: Unit;
  /** Ids of the listeners that the kernel serves. The others are user space's, and let through. */
  readonly inKernel: ReadonlySet<string>;
  /** Ids of those served by direct server return, whose packets never come here: nobody else may answer for them. */
  readonly byDsr?: ReadonlySet<string>;
  /** Whether connections get the listener's idle timeout; otherwise they have the host's. */
  readonly hasIdleTimeouts: boolean;
  /** Whether the VIP is ours alone, so that ports without a listener are refused. */
  readonly isGuarded: boolean;
  /** Who may get new connections now. */
  readonly stateOf: (pool: PoolUnit) => PoolState;
}

/** One load balancer's part of the table. */
export function loadBalancerFragment(source: FragmentSource): Fragment {
  const { unit, inKernel, isGuarded } = source;
  const family = familyOf(unit.vip);
  const draft = new Draft();
  if (isGuarded) draft.put(`guarded${family.suffix}`, unit.vip);
  for (const listener of unit.listeners) {
    const endpoint = endpointOf(unit, listener);
    const pool = unit.pools.find(({ id }) => id === listener.defaultPoolId);
    if (inKernel.has(listener.id) && pool !== undefined) {
      draft.put(`local${family.suffix}`, endpointKey(endpoint), "goto refuse");
      const timeouts = source.hasIdleTimeouts ? timeoutsOf(source, pool.id) : [];
      const where = { family, transport: endpoint.transport };
      // What all listeners of a pool have in common its own chain does.
      const [shared] = timeouts.length === 1 ? timeouts : [];
      const own = timeouts.length > 1 ? idleTimeoutOf(unit, listener) : undefined;
      forward({ draft, listener, endpoint, pool, family, idle: own });
      addPool(draft, source.stateOf(pool), { ...where, idle: shared });
    } else if (isGuarded && source.byDsr?.has(listener.id) !== true) {
      draft.put(`local${family.suffix}`, endpointKey(endpoint), "accept");
    }
  }
  return draft;
}

/** The idle timeouts that a load balancer's listeners in the kernel have, each once; of one pool, or of all. */
export function timeoutsOf(
  { unit, inKernel }: Pick<FragmentSource, "unit" | "inKernel">,
  poolId?: string,
): IdleTimeout[] {
  const timeouts = unit.listeners
    .filter(({ id, defaultPoolId }) => inKernel.has(id) && (poolId === undefined || defaultPoolId === poolId))
    .flatMap((listener) => idleTimeoutOf(unit, listener) ?? []);
  return [...new Map(timeouts.map((timeout) => [idleKey(timeout), timeout])).values()];
}

function idleTimeoutOf(unit: Unit, listener: ListenerUnit): IdleTimeout | undefined {
  const seconds = Math.ceil(listener.clientIdleTimeoutMs / 1000);
  return seconds === 0
    ? undefined
    : { family: familyOf(unit.vip), transport: endpointOf(unit, listener).transport, seconds };
}

/** Where a listener's clients connect to. */
export function endpointOf({ vip }: Unit, { protocol, port }: ListenerUnit): Endpoint {
  return { vip, transport: protocol === "UDP" ? "udp" : "tcp", port };
}

/** The chain, and the map, of a pool: one a protocol, because the declaration of the map depends on it. */
const poolChainName = (poolId: string, transport: Transport): string => `pool.${transport}.${poolId}`;

class Draft implements Fragment {
  readonly sets = new Map<string, SetModel>();
  readonly chains = new Map<string, ChainModel>();
  readonly elements = new Map<string, Map<string, string>>();

  put(set: string, key: string, data = ""): void {
    const known = this.elements.get(set);
    if (known === undefined) this.elements.set(set, new Map([[key, data]]));
    else known.set(key, data);
  }
}

interface Forwarded {
  readonly draft: Draft;
  readonly listener: ListenerUnit;
  readonly endpoint: Endpoint;
  readonly pool: PoolUnit;
  readonly family: FamilyWords;
  readonly idle: IdleTimeout | undefined;
}

function forward({ draft, listener, endpoint, pool, family, idle }: Forwarded): void {
  const { suffix } = family;
  const key = endpointKey(endpoint);
  const poolChain = poolChainName(pool.id, endpoint.transport);
  const own = listenerChain(listener, { family, poolChain, idle });
  if (own !== undefined) draft.chains.set(...own.chain);
  for (const [name, set] of own?.sets ?? []) draft.sets.set(name, set);
  draft.put(`endpoints${suffix}`, key, `goto ${own?.chain[0] ?? poolChain}`);
  if (pool.forwarding !== "NAT") draft.put(`masquerade${suffix}`, key);
  for (const refusal of REFUSALS) draft.put(`refused.${refusal}${suffix}`, key);
  for (const { address, port } of pool.backends) {
    if (address === undefined) continue;
    for (const set of FLOW_SETS) draft.put(`${set}${suffix}`, flowKey({ endpoint, address, port }));
  }
}

function addPool(
  draft: Draft,
  state: PoolState,
  { idle, ...where }: Where & { readonly idle: IdleTimeout | undefined },
): void {
  const { family, transport } = where;
  const name = poolChainName(state.pool.id, transport);
  if (draft.chains.has(name)) return;
  const { expression, elements } = poolChoice(state, where);
  draft.sets.set(name, { kind: "map", declaration: slotMapDeclaration(where), elements });
  draft.chains.set(name, {
    rules: [
      ...(idle === undefined ? [] : [idleRule(idle)]),
      `meta l4proto ${transport} dnat ${family.ip} to ${expression} map @${name}`,
      // Only who found nobody comes here.
      "goto refused.backend",
    ],
  });
}

/** Flows that the kernel forwards for a load balancer. */
export function servedFlows({ unit, inKernel }: Pick<FragmentSource, "unit" | "inKernel">): readonly ServedFlows[] {
  return unit.listeners.flatMap((listener) => {
    const pool = unit.pools.find(({ id }) => id === listener.defaultPoolId);
    if (!inKernel.has(listener.id) || pool === undefined) return [];
    const endpoint = endpointOf(unit, listener);
    const { drainTimeoutMs } = pool;
    return pool.backends
      .filter(isInService)
      .map(({ address, port }) => ({ endpoint, address: address as string, port, drainTimeoutMs }));
  });
}
