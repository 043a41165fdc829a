import type { BackendHealth } from "@fiberlb/types";

/** What one node's probes say of one backend; lives as long as the node's lease. */
export interface HealthVerdict {
  readonly loadBalancerId: string;
  readonly backendId: string;
  readonly health: Extract<BackendHealth, "ONLINE" | "OFFLINE" | "UNKNOWN">;
  /** Why, for people: `connection refused`. Empty when all is well. */
  readonly reason: string;
  /** Since when, ISO 8601. */
  readonly since: string;
}

/** One node leaves a backend out, because it fails that node's traffic; lives as long as the node's lease. */
export interface NodeEjection {
  readonly node: string;
  readonly loadBalancerId: string;
  readonly backendId: string;
  /** ISO 8601. */
  readonly ejectedUntil: string;
}

/** What one node found out about a backend, by asking it or by using it. */
export type NodeFinding = NodeVerdict | NodeEjection;

/** A verdict and whose it is. */
export interface NodeVerdict extends HealthVerdict {
  readonly node: string;
}
