import { z } from "zod";

import { rangesOverlap } from "./cidr.ts";
import * as field from "./fields.ts";
import type { VipPoolId } from "./ids.ts";
import { defineResource, type EntityOf, type EntityRecord, recordFields, type Rules } from "./resource.ts";

/** What `CreateVipPool` takes. */
export const vipPoolSpec = field.message({
  name: field.resourceName(),
  description: field.description().default(""),
  /** Networks and `a-b` ranges, IPv4 and IPv6. */
  cidrs: field.uniqueList(field.addressRange(), { max: 1000 }),
  /** Whether load balancers that name no pool get addresses from it. */
  autoAssign: field.flag().default(true),
});

/** A VIP pool as an admin wants it, defaults filled. */
export type VipPoolSpec = z.output<typeof vipPoolSpec>;
/** Addresses that load balancers get; belongs to the installation, not to a tenant. */
export type VipPool = EntityOf<VipPoolSpec, EntityRecord<VipPoolId>>;

const rules: Rules<VipPoolSpec> = ({ cidrs }, report) => {
  if (cidrs === undefined) return;
  if (cidrs.length === 0) report("cidrs", "must name at least one network or range", "REQUIRED");
  cidrs.forEach((range, index) => {
    const other = cidrs.slice(0, index).find((earlier) => earlier !== range && rangesOverlap(earlier, range));
    if (other !== undefined) report(`cidrs[${index}]`, `must not overlap: ${range} and ${other}`, "DUPLICATE");
  });
};

/** What the generic code knows of VIP pools. */
export const vipPool = defineResource({
  label: "VIP pool",
  spec: vipPoolSpec,
  stored: z.strictObject(recordFields),
  rules,
  resolve: (parsed): VipPoolSpec => parsed,
  immutable: ["name"],
});
