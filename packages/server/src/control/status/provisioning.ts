import type { Node, ProvisioningStatus } from "@fiberlb/types";

/** A status and why it is so; the reason is empty when all is well. */
export interface Judged<Status> {
  readonly status: Status;
  readonly reason: string;
}

/** What a load balancer's provisioning is judged by. */
export interface ProvisioningInput {
  readonly loadBalancerId: string;
  /** Store revision of the last change of the load balancer or anything below it. */
  readonly unitRevision: number;
  /** When that was, in milliseconds since 1970. */
  readonly changedAtMs: number;
  readonly deleting: boolean;
  /** Nodes with a live lease. */
  readonly nodes: readonly Node[];
  readonly nowMs: number;
}

/** Nobody serves anything. */
export const NO_NODE = "no data plane node";

/** A node that lives and has not applied a change for so long has a problem. */
const PENDING_LIMIT_MS = 15_000;

/**
 * Whether the data plane has the load balancer's last change. It is one status for all that is below a load balancer, as
 * that is what nodes apply; `createRevision` only tells a first time from a later one.
 */
export function provisioning(input: ProvisioningInput, createRevision: number): Judged<ProvisioningStatus> {
  if (input.deleting) return { status: "PENDING_DELETE", reason: "" };
  if (input.nodes.length === 0) return { status: "ERROR", reason: NO_NODE };
  const failed = firstProblem(input);
  if (failed !== undefined) return { status: "ERROR", reason: failed };
  const waiting = input.nodes.filter(({ appliedRevision }) => appliedRevision < input.unitRevision);
  const [first] = waiting;
  if (first === undefined) return { status: "ACTIVE", reason: "" };
  const pendingMs = input.nowMs - input.changedAtMs;
  if (pendingMs >= PENDING_LIMIT_MS) {
    const reason = `node ${first.name} has not applied the last change for ${Math.floor(pendingMs / 1000)} s`;
    return { status: "ERROR", reason };
  }
  const isNew = waiting.some(({ appliedRevision }) => appliedRevision < createRevision);
  return { status: isNew ? "PENDING_CREATE" : "PENDING_UPDATE", reason: `waiting for node ${first.name}` };
}

/** Only of nodes that show the last change: the problems of others may be solved by it. */
function firstProblem({ nodes, loadBalancerId, unitRevision }: ProvisioningInput): string | undefined {
  for (const { name, appliedRevision, problems } of nodes) {
    if (appliedRevision < unitRevision) continue;
    const problem = problems.find((candidate) => candidate.loadBalancerId === loadBalancerId);
    if (problem !== undefined) return `node ${name}: ${problem.reason}`;
  }
  return undefined;
}
