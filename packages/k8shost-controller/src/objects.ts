import type { TenantContext } from "@fiberlb/types";

/** Whose objects these are. */
export type Tenant = Pick<TenantContext, "orgId" | "projectId">;

/** Names an object of the host: two tenants may use the same namespace and name. */
export interface ObjectKey extends Tenant {
  readonly namespace: string;
  readonly name: string;
}

/** Identity and labels of an object of the host. */
export interface ObjectMeta extends ObjectKey {
  /** Another object that later takes the name has another one. */
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Who has something to do before the object may go. */
  readonly finalizers: readonly string[];
  /** ISO 8601, set once deletion was asked for. */
  readonly deletedAt?: string;
}

/** One port of a Service. */
export interface ServicePort {
  /** Empty when the Service has only one. */
  readonly name: string;
  readonly port: number;
  /** A number, or the name of a container port. */
  readonly targetPort: number | string;
  readonly protocol: "TCP" | "UDP";
}

/** Whether something is so, and why. */
export interface Condition {
  /** One of each type; the last one written stands. */
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  /** One word for programs: `QuotaExceeded`. */
  readonly reason: string;
  /** A sentence for people. */
  readonly message: string;
}

/** A Service, as far as a load balancer needs it. */
export interface Service {
  readonly meta: ObjectMeta;
  readonly type: "ClusterIP" | "NodePort" | "LoadBalancer" | "ExternalName";
  readonly selector: Readonly<Record<string, string>>;
  readonly ports: readonly ServicePort[];
  readonly loadBalancerIp?: string;
  readonly loadBalancerClass?: string;
  readonly loadBalancerSourceRanges: readonly string[];
  readonly sessionAffinity: "None" | "ClientIP";
  readonly externalTrafficPolicy: "Cluster" | "Local";
  /** What the status shows now. */
  readonly ingressIps: readonly string[];
  /** What the status shows now. */
  readonly conditions: readonly Condition[];
}

/** A Pod, as far as a backend needs it. One that is marked `meta.deletedAt` is terminating. */
export interface Pod {
  readonly meta: ObjectMeta;
  readonly podIp?: string;
  readonly ready: boolean;
  /** Container ports by name. */
  readonly namedPorts: Readonly<Record<string, number>>;
}

/** What the controller says of a Service. */
export interface ServiceStatus {
  readonly ingressIps: readonly string[];
  /** Of type `LoadBalancerReady`; absent when the Service has no load balancer and wants none. */
  readonly condition: Condition | undefined;
}

/** Type of the condition that the controller keeps on each Service of type LoadBalancer. */
export const READY_CONDITION = "LoadBalancerReady";

/** Finalizer that keeps a Service until its load balancer is gone. */
export const FINALIZER = "fiberlb.io/load-balancer";

/** One text for each key, for maps. */
export const keyText = ({ orgId, projectId, namespace, name }: ObjectKey): string =>
  [orgId, projectId, namespace, name].map(encodeURIComponent).join("/");

/** One text for each tenant, for maps. */
export const tenantText = ({ orgId, projectId }: Tenant): string =>
  `${encodeURIComponent(orgId)}/${encodeURIComponent(projectId)}`;

/** For people: `shop/web`. */
export const describeKey = ({ namespace, name }: ObjectKey): string => `${namespace}/${name}`;
