/**
 * Who serves which listener: the kernel or user space. Pure.
 */
import type { ListenerUnit, Problem, Unit } from "../../../snapshot/snapshot.ts";
import { type HostFacts, isOwnVip, whyNotInKernel } from "./eligibility.ts";

/** `dataPlane.l4`. */
export type L4Mode = "auto" | "userspace" | "nftables";

/** What stands in the way of one of our tables. */
export interface KernelReadiness {
  /** Why the kernel cannot be used at all now. */
  readonly unavailable: string | undefined;
  /** Why the kernel does not take this load balancer. */
  readonly refused: string | undefined;
}

/** What depends on more than one load balancer. Its own readiness is that of `inet fiberlb`. */
export interface AssignmentContext extends KernelReadiness {
  readonly mode: L4Mode;
  readonly host: HostFacts;
  /** Of the table for direct server return; absent: nothing stands in its way. */
  readonly dsr?: KernelReadiness;
}

/** What becomes of a load balancer's listeners. */
export interface Assignment {
  readonly unit: Unit;
  /** Ids of listeners whose packets the kernel translates. */
  readonly inKernel: ReadonlySet<string>;
  /** Ids of listeners that it serves by direct server return. */
  readonly byDsr: ReadonlySet<string>;
  /** The rest, for user space; the same object as `unit` when the kernel serves none. */
  readonly inUserSpace: Unit;
  readonly isGuarded: boolean;
  /** Why listeners that could be the kernel's are not: for the log. By listener id. */
  readonly reasons: ReadonlyMap<string, string>;
  readonly problems: readonly Problem[];
}

/** Decides for one load balancer. */
export function assign(unit: Unit, context: AssignmentContext): Assignment {
  const [inKernel, byDsr] = [new Set<string>(), new Set<string>()];
  const held = new Set<string>();
  const reasons = new Map<string, string>();
  const problems: Problem[] = [];
  for (const listener of unit.listeners) {
    const isDsr = unit.pools.some(({ id, forwarding }) => id === listener.defaultPoolId && forwarding === "DSR");
    const readiness = isDsr ? context.dsr : context;
    const why = context.mode === "userspace" ? OFF : whyNot({ unit, listener, host: context.host }, readiness);
    if (why === undefined) {
      (isDsr ? byDsr : inKernel).add(listener.id);
      continue;
    }
    if (why !== OFF) reasons.set(listener.id, why.reason);
    // Backends that answer clients themselves cannot be spoken to from user space.
    const must = isDsr || (context.mode === "nftables" && why.kind === "host");
    if (must) held.add(listener.id);
    const problem = must
      ? `Cannot forward listener ${unit.name}/${listener.name}: ${why.reason}`
      : inVain(unit, listener, why.reason);
    if (problem !== undefined)
      problems.push({
        loadBalancerId: unit.loadBalancerId,
        listenerId: listener.id,
        reason: problem,
        ...(must && { isClosed: true }),
      });
  }
  const isElsewhere = ({ id }: ListenerUnit): boolean => inKernel.has(id) || byDsr.has(id) || held.has(id);
  const listeners = unit.listeners.filter((listener) => !isElsewhere(listener));
  const inUserSpace = listeners.length === unit.listeners.length ? unit : { ...unit, listeners };
  return { unit, inKernel, byDsr, inUserSpace, isGuarded: isOwnVip(unit.vip, context.host), reasons, problems };
}

interface Why {
  readonly kind: "listener" | "host";
  readonly reason: string;
}

const OFF: Why = { kind: "listener", reason: "dataPlane.l4 is userspace" };

function whyNot(
  { unit, listener, host }: { readonly unit: Unit; readonly listener: ListenerUnit; readonly host: HostFacts },
  readiness: KernelReadiness | undefined,
): Why | undefined {
  const why = whyNotInKernel(unit, listener, host);
  if (why !== undefined) return why;
  const reason = readiness?.unavailable ?? readiness?.refused;
  return reason === undefined ? undefined : { kind: "host", reason };
}

/** What a listener in user space asks for that only the kernel does. */
function inVain(unit: Unit, listener: ListenerUnit, why: string): string | undefined {
  const reached = poolsOf(listener);
  const pool = unit.pools.find(({ id, forwarding }) => forwarding !== undefined && reached.has(id));
  if (pool === undefined) return undefined;
  const needs = `pool ${pool.name}: forwarding ${pool.forwarding} needs the kernel driver`;
  return `${needs}, which does not serve listener ${listener.name}: ${why}`;
}

/** The pools that a listener may send traffic to, by default or by its policies. */
function poolsOf({ defaultPoolId, sniPolicies = [], http }: ListenerUnit): ReadonlySet<string> {
  const byPolicy = [...sniPolicies, ...(http?.policies ?? [])].flatMap(({ action }) =>
    action.type === "REDIRECT_TO_POOL" ? action.pools.map(({ poolId }) => poolId) : [],
  );
  return new Set(defaultPoolId === undefined ? byPolicy : [defaultPoolId, ...byPolicy]);
}

/** Ids of all listeners that the kernel serves, in one way or the other. */
export const servedByKernel = ({ inKernel, byDsr }: Assignment): ReadonlySet<string> => inKernel.union(byDsr);

/** Whether two assignments of one unit come to the same. */
export function isSameAssignment(a: Assignment, b: Assignment): boolean {
  return a.unit === b.unit && a.isGuarded === b.isGuarded && textOf(a) === textOf(b);
}

const textOf = ({ inKernel, byDsr, reasons, problems }: Assignment): string =>
  JSON.stringify([[...inKernel], [...byDsr], [...reasons], problems]);
