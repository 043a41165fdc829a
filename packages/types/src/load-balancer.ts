import { z } from "zod";

import { ipFamilies, ipFamily, type IpAddress, ipScope } from "./address.ts";
import * as field from "./fields.ts";
import type { LoadBalancerId } from "./ids.ts";
import {
  commonSpec,
  defineResource,
  type EntityOf,
  recordFields,
  type Rules,
  tenantFields,
  type TenantRecord,
} from "./resource.ts";

/** What `CreateLoadBalancer` takes. */
export const loadBalancerSpec = field.message({
  ...commonSpec,
  /** Asked for; assigned when absent. */
  vipAddress: field.ip().optional(),
  /** Name of the VIP pool; any that assigns by itself when absent. */
  vipPool: field.resourceName().optional(),
  ipFamily: field.choice("IP_FAMILY", ipFamilies).optional(),
  deleteProtection: field.flag().default(false),
});

type Parsed = z.output<typeof loadBalancerSpec>;
/** A load balancer as a client wants it, defaults filled. */
export type LoadBalancerSpec = Parsed & { ipFamily: (typeof ipFamilies)[number] };

/** What the server adds to a load balancer. */
export interface LoadBalancerRecord extends TenantRecord<LoadBalancerId> {
  readonly vipAddress: IpAddress;
  readonly vipPool: string;
  /** Since when a cascading delete runs; stored only, seen as PENDING_DELETE. */
  readonly deletingSince?: string | undefined;
}
/** One virtual IP and what listens on it. */
export type LoadBalancer = EntityOf<LoadBalancerSpec, LoadBalancerRecord>;

const rules: Rules<Parsed> = ({ vipAddress, ipFamily: family }, report) => {
  if (vipAddress === undefined) return;
  const scope = ipScope(vipAddress);
  if (scope === "unspecified" || scope === "multicast" || scope === "broadcast") {
    report("vipAddress", `must be the address of one host, not the ${scope} address ${vipAddress}`, "NOT_ALLOWED");
  }
  const actual = ipFamily(vipAddress);
  if (family !== undefined && actual !== family) report("ipFamily", `must be ${actual} like vip_address ${vipAddress}`);
};

/** What the generic code knows of load balancers. */
export const loadBalancer = defineResource({
  label: "load balancer",
  spec: loadBalancerSpec,
  stored: z.strictObject({
    ...recordFields,
    ...tenantFields,
    vipAddress: field.ip(),
    vipPool: field.resourceName(),
    deletingSince: field.timestamp().optional(),
  }),
  rules,
  resolve: (parsed): LoadBalancerSpec => ({
    ...parsed,
    ipFamily: parsed.ipFamily ?? (parsed.vipAddress === undefined ? "IPV4" : ipFamily(parsed.vipAddress)),
  }),
  immutable: ["vipAddress", "vipPool", "ipFamily"],
});
