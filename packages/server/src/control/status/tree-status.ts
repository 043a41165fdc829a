import type { BackendStatus, Listener, Node, OperatingStatus, Pool, ResourceStatus } from "@fiberlb/types";

import type { LoadBalancerTree, ObservedTree } from "../../repository/tree.ts";
import {
  backendStatus,
  type JudgedBackend,
  listenerStatus,
  loadBalancerStatus,
  type NodesProblem,
  type Part,
  poolStatus,
} from "./operating.ts";
import { type Judged, NO_NODE, provisioning, type ProvisioningInput } from "./provisioning.ts";

/** Status of a load balancer and of everything below it that has one, by id. */
export interface TreeStatus {
  readonly loadBalancer: ResourceStatus;
  readonly listeners: ReadonlyMap<string, ResourceStatus>;
  readonly pools: ReadonlyMap<string, ResourceStatus>;
  readonly backends: ReadonlyMap<string, BackendStatus>;
}

/** What statuses depend on beside the tree. */
export interface Surroundings {
  /** With a live lease. */
  readonly nodes: readonly Node[];
  /** Milliseconds since 1970. */
  readonly nowMs: number;
}

/** Rolls everything up, from backends to the load balancer. Pure. */
export function treeStatus({ tree, findings }: ObservedTree, { nodes, nowMs }: Surroundings): TreeStatus {
  const provision = provisioningInput(tree, { nodes, nowMs });
  const provisioned = (id: string) => provisioning(provision, tree.createRevisions.get(id) ?? 0);
  const combine = (id: string, operating: Judged<OperatingStatus>): ResourceStatus =>
    partStatus(provisioned(id), operating);
  const backends = judgeBackends(tree, findings);
  const pools = new Map(
    tree.pools.map((pool) => [pool.id, partOf("pool", pool, poolStatus(pool, ofPool(tree, backends, pool)))]),
  );
  const listeners = new Map(
    tree.listeners.map((listener) => [listener.id, judgeListener({ tree, pools, nodes }, listener)]),
  );
  const problem = nodeProblem(nodes, { loadBalancerId: tree.loadBalancer.id });
  const loadBalancer = loadBalancerStatus(tree.loadBalancer, [...listeners.values()], problem);
  return {
    loadBalancer: combined(provisioned(tree.loadBalancer.id), loadBalancer),
    listeners: mapValues(listeners, combine),
    pools: mapValues(pools, combine),
    backends: mapValues(backends, (id, judged) => ({ ...combine(id, judged), status: judged.health })),
  };
}

/** What provisioning depends on. */
export const provisioningInput = (
  { loadBalancer, unitRevision, changedAtMs }: Pick<LoadBalancerTree, "loadBalancer" | "unitRevision" | "changedAtMs">,
  { nodes, nowMs }: Surroundings,
): ProvisioningInput => ({
  loadBalancerId: loadBalancer.id,
  deleting: loadBalancer.deletingSince !== undefined,
  unitRevision,
  changedAtMs,
  nodes,
  nowMs,
});

/** One reason for two statuses: a configuration that is not applied comes first. */
export const combined = (
  provisioned: Judged<ResourceStatus["provisioningStatus"]>,
  operating: Judged<OperatingStatus>,
): ResourceStatus => ({
  provisioningStatus: provisioned.status,
  operatingStatus: operating.status,
  statusReason: provisioned.reason === "" ? operating.reason : provisioned.reason,
});

/**
 * The same for something below a load balancer: its own reason comes first, because the configuration that is not applied
 * may be a sibling's.
 */
export const partStatus = (
  provisioned: Judged<ResourceStatus["provisioningStatus"]>,
  operating: Judged<OperatingStatus>,
): ResourceStatus => ({
  ...combined(provisioned, operating),
  statusReason: operating.reason === "" ? provisioned.reason : operating.reason,
});

function judgeBackends(
  { backends, healthChecks }: LoadBalancerTree,
  findings: ObservedTree["findings"],
): Map<string, JudgedBackend> {
  const monitored = new Set(
    healthChecks.filter(({ adminStateUp }) => adminStateUp).map(({ poolId }) => poolId as string),
  );
  return new Map(
    backends.map((backend) => [
      backend.id,
      backendStatus({ backend, monitored: monitored.has(backend.poolId), findings: findings.get(backend.id) ?? [] }),
    ]),
  );
}

const ofPool = ({ backends }: LoadBalancerTree, judged: ReadonlyMap<string, JudgedBackend>, { id }: Pool) =>
  backends
    .filter(({ poolId }) => poolId === id)
    .flatMap((backend) => {
      const status = judged.get(backend.id);
      return status === undefined ? [] : [{ ...status, backend }];
    });

interface ListenerSurroundings {
  readonly tree: LoadBalancerTree;
  readonly pools: ReadonlyMap<string, Part>;
  readonly nodes: readonly Node[];
}

function judgeListener({ tree, pools, nodes }: ListenerSurroundings, listener: Listener): Part {
  const hasPolicies = tree.l7Policies.some(
    ({ listenerId, adminStateUp }) => listenerId === listener.id && adminStateUp,
  );
  const used = poolsOfListener(tree, listener).flatMap((id) => pools.get(id) ?? []);
  const problem = nodeProblem(nodes, { loadBalancerId: tree.loadBalancer.id, listenerId: listener.id });
  const status = listenerStatus({ listener, loadBalancer: tree.loadBalancer, pools: used, hasPolicies, problem });
  return partOf("listener", listener, status);
}

/** Ids of the pools that a listener or its policies send traffic to, each once. */
export function poolsOfListener({ l7Policies }: LoadBalancerTree, { id, defaultPoolId }: Listener): string[] {
  const ofPolicies = l7Policies
    .filter(({ listenerId, adminStateUp }) => listenerId === id && adminStateUp)
    .flatMap(({ redirectPoolId, pools }) => [redirectPoolId, ...pools.map(({ poolId }) => poolId)]);
  return [...new Set([defaultPoolId, ...ofPolicies].filter((poolId) => poolId !== undefined))];
}

/** Why nodes do not serve the listener, or, without one, the load balancer as a whole. */
function nodeProblem(
  nodes: readonly Node[],
  { loadBalancerId, listenerId }: { readonly loadBalancerId: string; readonly listenerId?: string },
): NodesProblem | undefined {
  if (nodes.length === 0) return { reason: NO_NODE, isEverywhere: true };
  const reasons = nodes.flatMap(({ name, problems }) => {
    const problem = problems.find(
      (candidate) =>
        candidate.loadBalancerId === loadBalancerId &&
        (candidate.listenerId === undefined || candidate.listenerId === listenerId),
    );
    return problem === undefined ? [] : [`node ${name}: ${problem.reason}`];
  });
  const [reason] = reasons;
  return reason === undefined ? undefined : { reason, isEverywhere: reasons.length === nodes.length };
}

const partOf = (label: string, { name }: { readonly name: string }, status: Judged<OperatingStatus>): Part => ({
  ...status,
  name: `${label} ${name}`,
});

function mapValues<V, W>(map: ReadonlyMap<string, V>, convert: (id: string, value: V) => W): Map<string, W> {
  return new Map(Array.from(map, ([id, value]) => [id, convert(id, value)]));
}
