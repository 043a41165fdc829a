import {
  type Backend,
  type BackendHealth,
  formatHostPort,
  type Listener,
  type LoadBalancer,
  type OperatingStatus,
  type Pool,
} from "@fiberlb/types";

import type { NodeEjection, NodeFinding, NodeVerdict } from "../../repository/node-records.ts";
import type { Judged } from "./provisioning.ts";

/** A backend's health beside its operating status. */
export interface JudgedBackend extends Judged<OperatingStatus> {
  readonly health: BackendHealth;
  /** Whether a node leaves it out, because it fails that node's traffic. */
  readonly isEjected: boolean;
}

/** What a backend is judged by. */
export interface BackendInput {
  readonly backend: Backend;
  /** Whether the pool has a health check that is on. */
  readonly monitored: boolean;
  /** What nodes found out: a verdict of each that probes it, an ejection of each that leaves it out. */
  readonly findings: readonly NodeFinding[];
}

/** Whether a backend gets traffic: by what is configured and what probes say, and by how it did with real traffic. */
export function backendStatus({ findings, ...input }: BackendInput): JudgedBackend {
  const ejections = findings.filter((finding) => "ejectedUntil" in finding);
  const verdicts = findings.filter((finding) => "health" in finding);
  const judged = healthStatus({ ...input, verdicts });
  if (ejections.length === 0 || !serves(judged)) return { ...judged, isEjected: false };
  const reasons = [ejectionReason(ejections), judged.reason].filter((reason) => reason !== "");
  return { ...judged, status: "DEGRADED", reason: reasons.join("; "), isEjected: true };
}

function ejectionReason(ejections: readonly NodeEjection[]): string {
  const until = ejections.map(({ ejectedUntil }) => ejectedUntil).toSorted((a, b) => (a < b ? 1 : -1))[0];
  return `ejected by ${nodesOf(ejections)} until ${until}: it fails real traffic`;
}

/**
 * What probes say, and before that what the operator wants. A backend that nobody has probed so far is UNKNOWN and counts as one
 * that is not monitored: it gets traffic while nothing better is there.
 */
function healthStatus({
  backend,
  monitored,
  verdicts,
}: Omit<BackendInput, "findings"> & { readonly verdicts: readonly NodeVerdict[] }): Omit<JudgedBackend, "isEjected"> {
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
const nodesOf = (findings: readonly NodeFinding[]): string =>
  `node${findings.length > 1 ? "s" : ""} ${findings
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
  const panic = panicReason(pool, backends);
  if (!parts.some(serves))
    return { status: worstOf(parts), reason: `${panic}no backend left: ${parts.slice(0, 3).map(because).join("; ")}` };
  const bad = parts.find(({ status }) => status === "ERROR" || status === "DEGRADED");
  if (bad !== undefined) return { status: "DEGRADED", reason: `${panic}${because(bad)}` };
  if (parts.some(({ status }) => status === "ONLINE")) return { status: "ONLINE", reason: "" };
  return { status: "NO_MONITOR", reason: parts.find(serves)?.reason ?? "" };
}

/** That health checks are not believed any more, as a data plane does that sees the same; see `data/rotation.ts`. */
function panicReason(
  { panicThresholdPercent }: Pool,
  all: readonly (JudgedBackend & { readonly backend: Backend })[],
): string {
  const inService = all.filter(({ status }) => status !== "OFFLINE" && status !== "DRAINING");
  const primaries = inService.filter(({ backend }) => !backend.backup);
  const isUsable = (one: JudgedBackend): boolean => serves(one) && !one.isEjected;
  const usable = primaries.filter(isUsable).length;
  if (usable * 100 >= panicThresholdPercent * primaries.length) return "";
  if (usable === 0 && inService.some((one) => one.backend.backup && isUsable(one))) return "";
  const share = `${usable} of ${primaries.length} backends are usable, fewer than panic_threshold_percent ${panicThresholdPercent}`;
  return `panic: ${share}, so all get traffic; `;
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
