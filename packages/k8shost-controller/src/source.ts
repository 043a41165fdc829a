import type { ObjectKey, Pod, Service, ServiceStatus, Tenant } from "./objects.ts";

/** Which Pods a Service selects. */
export interface PodFilter extends Tenant {
  readonly namespace: string;
  /** Every label must be there with this value. */
  readonly selector: Readonly<Record<string, string>>;
}

/**
 * Where the controller reads Services and Pods and writes what became of them; a host implements it without a network hop.
 * Reads may come from a cache that follows behind: whatever changes later has to come out of {@link ServiceSource.watch}.
 */
export interface ServiceSource {
  /** Services of all tenants. Must be complete, or reject: what is not in it is taken for deleted. */
  listServices(): Promise<readonly Service[]>;
  getService(key: ObjectKey): Promise<Service | undefined>;
  /** Pods that match; without a filter those of all tenants. Terminating ones are among them until they are gone. */
  listPods(filter?: PodFilter): Promise<readonly Pod[]>;
  /** Keys of Services to look at again, because they or their Pods changed. Ends, or throws, only to be called again. */
  watch(signal: AbortSignal): AsyncIterable<ObjectKey>;
  /** Replaces the ingress addresses and the condition of type `LoadBalancerReady`; rejects when the Service is another one by now. */
  writeStatus(service: Service, status: ServiceStatus): Promise<void>;
  /** Replaces the finalizers; rejects when the Service has changed since it was read. */
  writeFinalizers(service: Service, finalizers: readonly string[]): Promise<void>;
}
