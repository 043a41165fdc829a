/**
 * Which VIPs this node can serve, and why not the others. Pure.
 *
 * Whether a VIP that it can serve is announced is decided elsewhere; by whom it is announced, too.
 */
import { isInService } from "../data/rotation.ts";
import type { BackendHealth, ListenerUnit, PolicyUnit, PoolUnit, Unit } from "../snapshot/snapshot.ts";

/** Whether a node can serve a VIP. */
export interface VipAbility {
  /** Canonical IP text. */
  readonly vip: string;
  readonly loadBalancerId: string;
  /** Name of the VIP pool that the address is of: it says how the VIP is announced. */
  readonly vipPool: string;
  readonly canServe: boolean;
  /** Why it can't, for people; empty when it can. */
  readonly reason: string;
  /**
   * Whether clients would get an answer here all the same: a listener is bound, and says 503 or resets. Always true when
   * `canServe` is. Only such a node may go on announcing while no node can serve.
   */
  readonly canAnswer: boolean;
  /** Every listener is forwarded by the kernel, so that traffic goes on when this process dies. */
  readonly kernelOnly: boolean;
}

/** What became of announcing one VIP on this node. */
export interface VipAnnouncement {
  readonly vip: string;
  readonly loadBalancerId: string;
  readonly announced: boolean;
  /** Why it is not announced, for people; empty when it is. */
  readonly reason: string;
  /** Where routers send its packets. */
  readonly nextHop?: string;
  /** As `asn:value`. */
  readonly communities?: readonly string[];
}

/** How BGP stands on this node. */
export interface BgpFigures {
  readonly sessions: readonly { readonly peer: string; readonly isUp: boolean }[];
  /** Routes of ours that the daemon has. */
  readonly routes: number;
}

/** A way to have the network bring a VIP's packets to this node: BGP, or the address on a link (l2). */
export interface VipAnnouncer {
  /** Takes over the state of all VIPs that are announced in this way. Returns at once; work goes on behind it. */
  apply(abilities: readonly VipAbility[]): void;
  /** While draining nothing is announced, whatever can be served. */
  setDraining(draining: boolean): void;
  /**
   * Takes all VIPs off this node as gently as the way allows (BGP: announces with 65535:0, waits, withdraws). Resolves
   * when the network has been told; nothing is announced afterwards.
   */
  withdrawAll(): Promise<void>;
  /** What is so now, of every VIP it was given. */
  state(): readonly VipAnnouncement[];
  /** For metrics; absent: there is nothing to tell. */
  figures?(): BgpFigures;
  /** Ends without changing what is announced: `withdrawAll` first, unless another process goes on with the same VIPs. */
  stop(): Promise<void>;
}

/** What {@link abilityOf} goes by besides the unit. */
export interface UnitFacts {
  readonly vipPool: string;
  /** The load balancer is administratively down, or being deleted. */
  readonly isDown: boolean;
  /** Why the VIP is no address of this host; absent when it is one, or need not be. */
  readonly vipProblem?: string;
  /** Listeners that nobody can connect to here, by id, and why. */
  readonly unbound: ReadonlyMap<string, string>;
  /** Ids of listeners whose packets the kernel forwards without this process. */
  readonly inKernel: ReadonlySet<string>;
  /** What checks say of a monitored backend. */
  readonly healthOf: (backendId: string) => BackendHealth;
}

/** What concerns all load balancers of a node alike. */
export interface NodeFacts {
  readonly draining: boolean;
  /** Why nobody serves what the kernel does not forward; absent while the data plane works. */
  readonly dataPlaneProblem?: string | undefined;
}

/**
 * Whether a load balancer's VIP can be served here: at least one of its listeners is bound and has a usable backend in a
 * pool that it can reach, or a policy that needs none (redirect, fixed response).
 *
 * A backend without a verdict so far is not usable in this sense: it may get traffic that is here anyway, but none is
 * attracted for it.
 */
export function abilityOf(unit: Unit, facts: UnitFacts, node: NodeFacts): VipAbility {
  const { dataPlaneProblem } = node;
  const bound = unit.listeners.filter(
    ({ id }) => !facts.unbound.has(id) && (dataPlaneProblem === undefined || facts.inKernel.has(id)),
  );
  const gone = whyNobodyAnswers(unit, bound, { facts, node });
  const reason = gone ?? (bound.some((one) => serves(one, unit, facts)) ? "" : whyNotServed(bound));
  return {
    vip: unit.vip,
    loadBalancerId: unit.loadBalancerId,
    vipPool: facts.vipPool,
    canServe: reason === "",
    reason,
    canAnswer: gone === undefined,
    kernelOnly: bound.length > 0 && bound.every(({ id }) => facts.inKernel.has(id)),
  };
}

/** Why not even a reset would come back; the most general reason first. */
function whyNobodyAnswers(
  unit: Unit,
  bound: readonly ListenerUnit[],
  { facts, node }: { readonly facts: UnitFacts; readonly node: NodeFacts },
): string | undefined {
  if (node.draining) return "node draining";
  if (facts.isDown) return "load balancer down";
  if (facts.vipProblem !== undefined) return `VIP could not be bound: ${facts.vipProblem}`;
  if (unit.listeners.length === 0) return "no listener";
  const reasons = unit.listeners.map(({ id }) => facts.unbound.get(id));
  if (!reasons.includes(undefined)) return `no listener could be bound: ${reasons[0]}`;
  return bound.length > 0 ? undefined : `data plane failed: ${node.dataPlaneProblem}`;
}

function whyNotServed(bound: readonly ListenerUnit[]): string {
  const leadsSomewhere = bound.some((one) => reachablePools(one).size > 0);
  return leadsSomewhere ? "no healthy backend on this node" : "no listener leads to a pool";
}

function serves(listener: ListenerUnit, unit: Unit, facts: UnitFacts): boolean {
  if (policiesOf(listener).some(answersByItself)) return true;
  const reachable = reachablePools(listener);
  return unit.pools.some((pool) => reachable.has(pool.id) && isUsable(pool, facts.healthOf));
}

const policiesOf = ({ http, sniPolicies }: ListenerUnit): readonly PolicyUnit[] =>
  // Without rules a policy takes no request.
  [...(http?.policies ?? []), ...(sniPolicies ?? [])].filter(({ rules }) => rules.length > 0);

/** A refusal is an answer as well, but nothing that anybody would want to come here for. */
const answersByItself = ({ action: { type } }: PolicyUnit): boolean =>
  type === "REDIRECT_TO_URL" || type === "REDIRECT_PREFIX" || type === "FIXED_RESPONSE";

function reachablePools(listener: ListenerUnit): ReadonlySet<string> {
  const byPolicy = policiesOf(listener).flatMap(({ action }) => {
    if (action.type !== "REDIRECT_TO_POOL") return [];
    const { pools } = action;
    return pools.filter(({ weight }) => weight > 0 || pools.length === 1).map(({ poolId }) => poolId);
  });
  return new Set(listener.defaultPoolId === undefined ? byPolicy : [listener.defaultPoolId, ...byPolicy]);
}

/** Balancers give traffic to such a backend whenever it is in rotation; backups are when nobody else is. */
function isUsable({ backends }: PoolUnit, healthOf: UnitFacts["healthOf"]): boolean {
  return backends.some(
    (backend) =>
      isInService(backend) && (!backend.monitored || ["ONLINE", "NO_MONITOR"].includes(healthOf(backend.id))),
  );
}
