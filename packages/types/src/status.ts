/** Whether the data plane has the configuration; computed on read, never stored in an entity. */
export const provisioningStatuses = ["PENDING_CREATE", "PENDING_UPDATE", "PENDING_DELETE", "ACTIVE", "ERROR"] as const;
/** Values of the API's `ProvisioningStatus`. */
export type ProvisioningStatus = (typeof provisioningStatuses)[number];

/** Whether traffic is served. */
export const operatingStatuses = ["ONLINE", "OFFLINE", "DEGRADED", "ERROR", "DRAINING", "NO_MONITOR"] as const;
/** Values of the API's `OperatingStatus`. */
export type OperatingStatus = (typeof operatingStatuses)[number];

/** What health checks and the configuration say of one backend. */
export const backendHealths = ["ONLINE", "OFFLINE", "DRAINING", "NO_MONITOR", "UNKNOWN"] as const;
/** Values of the API's `BackendStatus`. */
export type BackendHealth = (typeof backendHealths)[number];

/** What an answer about a load balancer, listener, pool or backend carries beside the stored entity. */
export interface ResourceStatus {
  readonly provisioningStatus: ProvisioningStatus;
  readonly operatingStatus: OperatingStatus;
  /** Why the status is what it is; empty when all is well. */
  readonly statusReason: string;
}

/** {@link ResourceStatus} of a load balancer: whether all nodes have it, and what is rolled up from its listeners. */
export type LoadBalancerStatus = ResourceStatus;
/** {@link ResourceStatus} of a listener: rolled up from the pools that it sends to. */
export type ListenerStatus = ResourceStatus;
/** {@link ResourceStatus} of a pool: rolled up from its backends. */
export type PoolStatus = ResourceStatus;
/** {@link ResourceStatus} with the verdict on the one backend. */
export interface BackendStatus extends ResourceStatus {
  readonly status: BackendHealth;
}
/** How full a VIP pool is. */
export interface VipPoolStatus {
  readonly addressesTotal: bigint;
  readonly addressesUsed: bigint;
}
