import { createHash } from "node:crypto";

import type { PortId } from "./endpoints.ts";
import type { ObjectKey, ObjectMeta } from "./objects.ts";

/** Tag that says who keeps a resource; `fiberlb apply` uses it as well. */
export const MANAGED_BY = "fiberlb.io/managed-by";
/** Tag with the namespace and name of the Service. */
export const SERVICE = "fiberlb.io/service";
/** Tag with the uid of the Service: one that was made anew is another one. */
export const SERVICE_UID = "fiberlb.io/service-uid";
/** Tag of a pool with the Service's port that it serves. */
export const SERVICE_PORT = "fiberlb.io/service-port";

/** Tags of a resource. */
export type Tags = Readonly<Record<string, string>>;

/** Value of {@link MANAGED_BY}: controllers of two clusters that share a FiberLB leave each other alone. */
export const ownerOf = (clusterName: string): string => `k8shost/${clusterName}`;

/** Tags of everything that is made for a Service. */
export const serviceTags = (owner: string, { namespace, name, uid }: ObjectMeta): Tags => ({
  [MANAGED_BY]: owner,
  [SERVICE]: `${namespace}/${name}`,
  [SERVICE_UID]: uid,
});

/** Tags of what serves one port. */
export const portTags = (owner: string, meta: ObjectMeta, port: PortId): Tags => ({
  ...serviceTags(owner, meta),
  [SERVICE_PORT]: port,
});

/** Namespace and name of the Service that something was made for. */
export function serviceIn(tags: Tags): Pick<ObjectKey, "namespace" | "name"> | undefined {
  const [namespace, name, ...rest] = tags[SERVICE]?.split("/") ?? [];
  return namespace === undefined || name === undefined || rest.length > 0 ? undefined : { namespace, name };
}

/** Whether all of `wanted` are among `tags`. */
export const hasTags = (tags: Tags, wanted: Tags): boolean =>
  Object.entries(wanted).every(([key, value]) => tags[key] === value);

/** Where the VIP is to be; undefined leaves it open. Asking for another one is asking for another load balancer. */
export interface VipWish {
  readonly vipAddress: string | undefined;
  readonly vipPool: string | undefined;
}

/**
 * Name of the load balancer of a Service. It only keeps two creations of the same from both succeeding; which one belongs to a
 * Service is told by tags.
 */
export function loadBalancerName(
  { namespace, name, uid }: ObjectMeta,
  { vipAddress = "", vipPool = "" }: VipWish,
): string {
  const mark = createHash("sha256")
    .update(JSON.stringify([uid, vipAddress, vipPool]))
    .digest("hex")
    .slice(0, 8);
  return `k8s-${namespace}-${name}-${mark}`;
}
