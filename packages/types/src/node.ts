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

/** How far a node is with leaving service. */
export const nodeDrainSchema = z.object({
  /** When it was asked to. */
  since: field.timestamp(),
  vipsAnnounced: field.integer({ max: 4_294_967_295 }).default(0),
  /** Flows of UDP included. */
  connectionsActive: field.integer({ max: Number.MAX_SAFE_INTEGER }).default(0),
});
/** {@link nodeDrainSchema}'s value. */
export type NodeDrain = Readonly<z.output<typeof nodeDrainSchema>>;

/** What a node publishes of itself under its lease. */
export const nodeSchema = z.object({
  name: field.resourceName(),
  state: field.choice("NODE_STATE", nodeStates),
  /** Of the host: no loopback, no VIPs. */
  addresses: z.array(z.string()).default([]),
  /** Of the program. */
  version: z.string(),
  /** The store's revision that the data plane has applied. */
  appliedRevision: field.integer({ max: Number.MAX_SAFE_INTEGER }).default(0),
  problems: z.array(nodeProblemSchema).default([]),
  startedAt: field.timestamp(),
  /** What the node can do here: `userspace`, `nftables`, `dsr`, `bgp`, `l2`. */
  capabilities: z.array(z.string()).default([]),
  /** Absent while it is READY. */
  drain: nodeDrainSchema.optional(),
});
/** A machine that runs FiberLB, as it describes itself. */
export type Node = Readonly<z.output<typeof nodeSchema>>;
