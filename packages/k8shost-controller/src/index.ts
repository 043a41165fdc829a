/**
 * The public types of the controller that turns a Service of type LoadBalancer into a load balancer. The controller
 * itself arrives with the k8shost integration; until then this package holds what a host writes its code against, and
 * nothing that pretends to work.
 */

/** Names an object of the host. */
export interface ObjectKey {
  readonly namespace: string;
  readonly name: string;
}

/** Identity and labels of an object of the host. */
export interface ObjectMeta extends ObjectKey {
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly orgId: string;
  readonly projectId: string;
  /** ISO 8601, set once deletion was asked for. */
  readonly deletedAt?: string;
}

/** One port of a Service. */
export interface ServicePort {
  readonly name: string;
  readonly port: number;
  /** A number, or the name of a container port. */
  readonly targetPort: number | string;
  readonly protocol: "TCP" | "UDP";
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
}

/** A Pod, as far as a backend needs it. */
export interface Pod {
  readonly meta: ObjectMeta;
  readonly podIp?: string;
  readonly ready: boolean;
  /** Container ports by name. */
  readonly namedPorts: Readonly<Record<string, number>>;
}

/** Where the controller reads Services and Pods from and writes statuses to; a host implements it without a network hop. */
export interface ServiceSource {
  listServices(): Promise<readonly Service[]>;
  getService(key: ObjectKey): Promise<Service | undefined>;
  listPods(namespace: string, selector: Readonly<Record<string, string>>): Promise<readonly Pod[]>;
  /** Keys of Services to look at again, because they or their Pods changed. */
  watch(signal: AbortSignal): AsyncIterable<ObjectKey>;
  setIngressIps(key: ObjectKey, ingressIps: readonly string[]): Promise<void>;
}
