import { clone, create, equals } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type Condition,
  ConditionSchema,
  ConditionStatus,
  type Node,
  NodeSchema,
  NodeSpecSchema,
  NodeStatusSchema,
} from "@fiberlb/api/k8shost";
import { DomainError } from "@fiberlb/types";

import { checkNode } from "../checks/node.ts";
import type { Place } from "./keys.ts";
import type { Resources } from "./resources.ts";
import type { Rules } from "./rules.ts";

/** Condition that the host itself keeps on each node. */
export const READY = "Ready";

/** Without a heartbeat for so long a node is NotReady. */
export const HEARTBEAT_TIMEOUT_MS = 40_000;

export const nodeRules: Rules<Node> = {
  prepare(node) {
    node.status ??= create(NodeStatusSchema);
    node.spec ??= create(NodeSpecSchema);
    // Worked out whenever somebody asks.
    delete node.status.requested;
  },
  check: (node, { to }) => checkNode(node, "node", to),
  isSameSpec: (a, b) =>
    a.spec === b.spec || (a.spec !== undefined && b.spec !== undefined && equals(NodeSpecSchema, a.spec, b.spec)),
};

export const nodePlace = (name: string): Place => ({ orgId: "", projectId: "", namespace: "", name });

const NO_TENANT = { orgId: "", projectId: "" };

/** Makes the node known, or replaces what is known of it. */
export async function registerNode(nodes: Resources<Node>, asked: Node | undefined, epochMs: number): Promise<Node> {
  const alive = asked && clone(NodeSchema, asked);
  if (alive !== undefined) markAlive(alive, asked?.status?.conditions ?? [], epochMs);
  try {
    return await nodes.create(alive, NO_TENANT);
  } catch (error) {
    if (!(error instanceof DomainError) || error.kind !== "already-exists" || alive?.metadata === undefined)
      throw error;
    const { name, labels, annotations } = alive.metadata;
    return nodes.change(nodePlace(name), (node) => {
      Object.assign(node.metadata ?? {}, { labels, annotations });
      node.spec = alive.spec;
      const conditions = node.status?.conditions ?? [];
      node.status = alive.status;
      markAlive(node, alive.status?.conditions.length === 1 ? conditions : (alive.status?.conditions ?? []), epochMs);
    });
  }
}

/** The node lives. Conditions replace the others when there are any. */
export function heartbeat(
  nodes: Resources<Node>,
  { name, conditions }: { readonly name: string; readonly conditions: readonly Condition[] },
  epochMs: number,
): Promise<Node> {
  return nodes.change(nodePlace(name), (node) => {
    markAlive(node, conditions.length > 0 ? conditions : (node.status?.conditions ?? []), epochMs);
  });
}

function markAlive(node: Node, conditions: readonly Condition[], epochMs: number): void {
  node.status ??= create(NodeStatusSchema);
  const ready = { type: READY, status: ConditionStatus.TRUE, reason: "Heartbeat", message: "the node's agent reports" };
  node.status.conditions = [...conditions.filter(({ type }) => type !== READY), create(ConditionSchema, ready)];
  node.status.lastHeartbeatTime = timestampFromMs(epochMs);
}
