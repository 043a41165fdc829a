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

/** A verdict and whose it is. */
export interface NodeVerdict extends HealthVerdict {
  readonly node: string;
}
