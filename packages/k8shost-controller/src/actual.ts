import type { Tags } from "./ownership.ts";

/** What every resource has. */
export interface ActualResource {
  readonly id: string;
  readonly name: string;
  readonly revision: number;
  readonly tags: Tags;
}

/** A load balancer as it is, with what is below it. */
export interface ActualLoadBalancer extends ActualResource {
  readonly vipAddress: string;
  readonly vipPool: string;
  readonly provisioningStatus: string;
  readonly statusReason: string;
  readonly listeners: readonly ActualListener[];
  readonly pools: readonly ActualPool[];
}

/** A listener as it is; `fields` as the domain names them, with defaults. */
export interface ActualListener extends ActualResource {
  readonly loadBalancerId: string;
  readonly defaultPoolId: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A pool as it is. */
export interface ActualPool extends ActualResource {
  readonly loadBalancerId: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly backends: readonly ActualBackend[];
  readonly healthCheck: ActualHealthCheck | undefined;
}

/** A backend as it is. */
export interface ActualBackend extends ActualResource {
  readonly poolId: string;
  readonly address: string;
  readonly port: number;
  readonly weight: number;
  readonly monitorPort: number;
}

/** A health check as it is. */
export interface ActualHealthCheck extends ActualResource {
  readonly poolId: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Whether it is on its way out: nothing can be done with it any more. */
export const isLeaving = ({ provisioningStatus }: Pick<ActualLoadBalancer, "provisioningStatus">): boolean =>
  provisioningStatus === "PENDING_DELETE";
