import {
  type Backend,
  type BackendHealth,
  formatHostPort,
  type Listener,
  type LoadBalancer,
  type OperatingStatus,
  type Pool,
} from "@fiberlb/types";

import type { NodeVerdict } from "../../repository/node-records.ts";
import type { Judged } from "./provisioning.ts";

/** A backend's health beside its operating status. */
export interface JudgedBackend extends Judged<OperatingStatus> {
  readonly health: BackendHealth;
}

/** What a backend is judged by. */
export interface BackendInput {
  readonly backend: Backend;
  /** Whether the pool has a health check that is on. */
  readonly monitored: boolean;
  /** One of each node that probes it. */
  readonly verdicts: readonly NodeVerdict[];
}

/**
 * Whether a backend gets traffic. What the operator wants comes before what probes say. A backend that nobody has probed
 * so far is UNKNOWN and counts as one that is not monitored: it gets traffic while nothing better is there.
 */
export function backendStatus({ backend, monitored, verdicts }: BackendInput): JudgedBackend {
  if (!backend.adminStateUp) return { status: "OFFLINE", health: "OFFLINE", reason: "administratively down" };
  if (backend.drainingSince !== undefined) {
    return {
      status: "DRAINING",
      health: "DRAINING",
      reason: `deregistered, or not renewed within its TTL, at ${backend.drainingSince}`,
    };
  }
  if (backend.weight === 0) return { status: "DRAINING", health: "DRAINING", reason: "weight is 0" };
  if (!monitored) return { status: "NO_MONITOR", health: "NO_MONITOR", reason: "" };
  const down = verdicts.filter(({ health }) => health === "OFFLINE");
  const up = verdicts.filter(({ health }) => health === "ONLINE");
  const [first] = down;
  if (first !== undefined && up.length === 0) return { status: "ERROR", health: "OFFLINE", reason: first.reason };
  if (first !== undefined)
    return { status: "DEGRADED", health: "ONLINE", reason: `down for ${nodesOf(down)}: ${first.reason}` };
  if (up.length > 0) return { status: "ONLINE", health: "ONLINE", reason: "" };
  return { status: "NO_MONITOR", health: "UNKNOWN", reason: "not probed yet" };
}

/** Each node judges for its own forwarding, so they may differ. */
const nodesOf = (verdicts: readonly NodeVerdict[]): string =>
  `node${verdicts.length > 1 ? "s" : ""} ${verdicts
    .map(({ node }) => node)
    .toSorted()
    .join(", ")}`;

const ADMIN_DOWN: Judged<OperatingStatus> = { status: "OFFLINE", reason: "administratively down" };

/** Whether something of this status takes traffic. */
const serves = ({ status }: Judged<OperatingStatus>): boolean =>
  status === "ONLINE" || status === "NO_MONITOR" || status === "DEGRADED";

/** A part of something bigger, with its name for the reason. */
export interface Part extends Judged<OperatingStatus> {
  readonly name: string;
}

const because = ({ name, reason, status }: Part): string => `${name}: ${reason === "" ? status : reason}`;

/** A pool serves while one backend does; one that is down makes it DEGRADED, none left ERROR. */
export function poolStatus(
  pool: Pool,
  backends: readonly (JudgedBackend & { readonly backend: Backend })[],
): Judged<OperatingStatus> {
  if (!pool.adminStateUp) return ADMIN_DOWN;
  const parts = backends.map(({ backend, status, reason }) => ({ status, reason, name: backendName(backend) }));
  if (parts.length === 0) return { status: "ERROR", reason: "has no backend" };
  if (!parts.some(serves))
    return { status: worstOf(parts), reason: `no backend left: ${parts.slice(0, 3).map(because).join("; ")}` };
  const bad = parts.find(({ status }) => status === "ERROR" || status === "DEGRADED");
  if (bad !== undefined) return { status: "DEGRADED", reason: because(bad) };
  if (parts.some(({ status }) => status === "ONLINE")) return { status: "ONLINE", reason: "" };
  return { status: "NO_MONITOR", reason: parts.find(serves)?.reason ?? "" };
}

/** When nothing serves: whether that is a failure or somebody's will. */
function worstOf(parts: readonly Part[]): OperatingStatus {
  if (parts.every(({ status }) => status === "OFFLINE")) return "OFFLINE";
  return parts.every(({ status }) => status === "OFFLINE" || status === "DRAINING") ? "DRAINING" : "ERROR";
}

const backendName = ({ name, address, port }: Backend): string => `backend ${name} (${formatHostPort(address, port)})`;

/** What a listener is judged by. */
export interface ListenerInput {
  readonly listener: Listener;
  readonly loadBalancer: LoadBalancer;
  /** Where its connections may go. */
  readonly pools: readonly Part[];
  /** Whether it answers without a pool, by its policies. */
  readonly hasPolicies: boolean;
  /** Of nodes that cannot serve it. */
  readonly problem: NodesProblem | undefined;
}

/** Why something does not work on some nodes, or on all. */
export interface NodesProblem {
  readonly reason: string;
  /** No node serves it. */
  readonly isEverywhere: boolean;
}

export function listenerStatus({
  listener,
  loadBalancer,
  pools,
  hasPolicies,
  problem,
}: ListenerInput): Judged<OperatingStatus> {
  if (!listener.adminStateUp) return ADMIN_DOWN;
  if (!loadBalancer.adminStateUp) return { status: "OFFLINE", reason: "the load balancer is administratively down" };
  if (problem?.isEverywhere === true) return { status: "ERROR", reason: problem.reason };
  if (pools.length > 0) return withProblem(rollUp(pools), problem);
  if (hasPolicies) return withProblem({ status: "ONLINE", reason: "" }, problem);
  const isHttp = listener.protocol === "HTTP" || listener.protocol === "HTTPS";
  return { status: "ERROR", reason: `has no pool: ${isHttp ? "requests get 503" : "connections are refused"}` };
}

export function loadBalancerStatus(
  loadBalancer: LoadBalancer,
  listeners: readonly Part[],
  problem: NodesProblem | undefined,
): Judged<OperatingStatus> {
  if (!loadBalancer.adminStateUp) return ADMIN_DOWN;
  if (problem?.isEverywhere === true) return { status: "ERROR", reason: problem.reason };
  if (listeners.length === 0) return { status: "OFFLINE", reason: "has no listener" };
  return withProblem(rollUp(listeners), problem);
}

/** What is well elsewhere is DEGRADED by a node that can't. */
const withProblem = (judged: Judged<OperatingStatus>, problem: NodesProblem | undefined): Judged<OperatingStatus> =>
  problem !== undefined && serves(judged) ? { status: "DEGRADED", reason: problem.reason } : judged;

/** All well: ONLINE. None serves: ERROR, or OFFLINE when that is the operator's will. Else DEGRADED. */
function rollUp(parts: readonly Part[]): Judged<OperatingStatus> {
  const bad = parts.find((part) => !serves(part) || part.status === "DEGRADED");
  if (bad === undefined) return { status: "ONLINE", reason: "" };
  if (parts.some(serves)) return { status: "DEGRADED", reason: because(bad) };
  const isWill = parts.every(({ status }) => status === "OFFLINE");
  return { status: isWill ? "OFFLINE" : "ERROR", reason: because(bad) };
}
