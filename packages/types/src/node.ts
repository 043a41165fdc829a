import { z } from "zod";

import * as field from "./fields.ts";
import type { ListenerId, LoadBalancerId } from "./ids.ts";

/** Whether a node takes traffic; DRAINED has no connection left. */
export const nodeStates = ["READY", "DRAINING", "DRAINED"] as const;
/** Values of the API's `NodeState`. */
export type NodeState = (typeof nodeStates)[number];

/** Why a load balancer does not work on a node. */
export const nodeProblemSchema = z.object({
  loadBalancerId: field.id<LoadBalancerId>(),
  /** Absent when it concerns the whole load balancer. */
  listenerId: field.id<ListenerId>().optional(),
  reason: z.string(),
});
/** {@link nodeProblemSchema}'s value. */
export type NodeProblem = Readonly<z.output<typeof nodeProblemSchema>>;

/** What a node publishes of itself under its lease. */
export const nodeSchema = z.object({
  name: field.resourceName(),
  state: field.choice("NODE_STATE", nodeStates),
  /** Where the node itself is reached; not VIPs. */
  addresses: z.array(z.string()).default([]),
  /** Of the program. */
  version: z.string(),
  /** The store's revision that the data plane has applied. */
  appliedRevision: field.integer({ max: Number.MAX_SAFE_INTEGER }).default(0),
  problems: z.array(nodeProblemSchema).default([]),
  startedAt: field.timestamp(),
  /** What the node can do: `nftables`, `io_uring`, `bgp`, … */
  capabilities: z.array(z.string()).default([]),
});
/** A machine that runs FiberLB, as it describes itself. */
export type Node = Readonly<z.output<typeof nodeSchema>>;
