import { formatHostPort } from "@fiberlb/types";

import type { Pod, Service, ServicePort } from "./objects.ts";
import type { PodFilter } from "./source.ts";

/** A backend as the Pods want it. */
export interface DesiredBackend {
  readonly address: string;
  readonly port: number;
  readonly name: string;
  /** Its Pod is terminating: weight 0 where it is a backend already, and not made where it is none. */
  readonly isDraining: boolean;
  /** 0 = the backend's own port. */
  readonly monitorPort: number;
}

/** Which port of a Service something serves: `TCP/80`. It stays the same when the port is renamed. */
export type PortId = `${"TCP" | "UDP"}/${number}`;

/** The id of a port. */
export const portId = ({ protocol, port }: ServicePort): PortId => `${protocol}/${port}`;

/** The backends of one port. */
export interface PortEndpoints {
  readonly port: PortId;
  readonly backends: readonly DesiredBackend[];
}

/** The backends of one port: Pods that are Ready, and those that are terminating. */
export function backendsOf(port: ServicePort, pods: readonly Pod[], monitorPort: number): readonly DesiredBackend[] {
  const found = new Map<string, DesiredBackend>();
  for (const pod of pods) {
    const target = targetOf(port, pod);
    const isDraining = pod.meta.deletedAt !== undefined;
    if (pod.podIp === undefined || target === undefined || (!isDraining && !pod.ready)) continue;
    const at = formatHostPort(pod.podIp, target);
    // An address that a new Pod has taken over serves, whatever the Pod that had it before does.
    if (isDraining && found.has(at)) continue;
    if (found.get(at)?.isDraining === false) continue;
    found.set(at, { address: pod.podIp, port: target, name: `${pod.meta.name}@${at}`, isDraining, monitorPort });
  }
  return [...found.values()];
}

/** A name means what the Pod says; a Pod that has no such port does not serve it. */
const targetOf = ({ targetPort }: ServicePort, { namedPorts }: Pod): number | undefined =>
  typeof targetPort === "number"
    ? targetPort
    : Object.hasOwn(namedPorts, targetPort)
      ? namedPorts[targetPort]
      : undefined;

/** Whether the Service's selector matches; an empty one matches nothing. */
export const selects = ({ selector, meta }: Pick<Service, "selector" | "meta">, pod: Pod): boolean => {
  const { orgId, projectId, namespace } = meta;
  return Object.keys(selector).length > 0 && matchesFilter(pod, { orgId, projectId, namespace, selector });
};

/** Whether a Pod is one of those that `listPods` of a source is asked for; without a filter each is. */
export function matchesFilter({ meta }: Pod, filter: PodFilter | undefined): boolean {
  if (filter === undefined) return true;
  return (
    meta.namespace === filter.namespace &&
    meta.orgId === filter.orgId &&
    meta.projectId === filter.projectId &&
    Object.entries(filter.selector).every(
      ([key, value]) => Object.hasOwn(meta.labels, key) && meta.labels[key] === value,
    )
  );
}
