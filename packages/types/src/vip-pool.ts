import { z } from "zod";

import { ipFamily, parseIp } from "./address.ts";
import { rangesOverlap } from "./cidr.ts";
import * as field from "./fields.ts";
import type { VipPoolId } from "./ids.ts";
import { defineResource, type EntityOf, type EntityRecord, recordFields, type Rules } from "./resource.ts";
import { fail, type ParseResult, show } from "./result.ts";

/** What brings the packets of a VIP to the nodes. */
export const announceKinds = ["BGP", "L2", "NONE"] as const;
/** Values of the API's `AnnounceKind`. */
export type AnnounceKind = (typeof announceKinds)[number];
/** What happens to a VIP that no node can serve. */
export const whenAllDownActions = ["ANNOUNCE", "WITHDRAW"] as const;
/** Values of the API's `WhenAllDown`. */
export type WhenAllDown = (typeof whenAllDownActions)[number];

const announce = field.message({
  /** Absent: BGP on nodes that have it configured, else nothing. */
  kind: field.choice("ANNOUNCE_KIND", announceKinds).optional(),
  /** Network interface that gets the addresses; for L2. */
  interface: field.text({ max: 15, pattern: /^[^\s/]+$/, expected: "the name of a network interface" }).optional(),
});
/** How VIPs of a pool are announced. */
export type VipAnnounce = z.output<typeof announce>;

/** `self`: the node's own address towards its router. */
const nextHop = (family: "IPV4" | "IPV6") =>
  field.parsedText(`"self" or an ${family === "IPV4" ? "IPv4" : "IPv6"} address`, (given) =>
    parseNextHop(given, family),
  );

function parseNextHop(given: string, family: "IPV4" | "IPV6"): ParseResult<string> {
  if (given === "self") return { ok: true, value: given };
  const address = parseIp(given);
  const isFitting = address.ok && ipFamily(address.value) === family;
  return isFitting
    ? address
    : fail(`must be "self" or an ${family === "IPV4" ? "IPv4" : "IPv6"} address, not ${show(given)}`);
}

/** A community (RFC 1997): two numbers of 16 bits. */
const community = () => numbers(2, { max: 65_535, example: "64500:100" });
/** A large community (RFC 8092): three numbers of 32 bits. */
const largeCommunity = () => numbers(3, { max: field.UINT32_MAX, example: "64500:1:2" });

function numbers(count: number, { max, example }: { readonly max: number; readonly example: string }) {
  return field.parsedText(`text such as ${example}`, (given) => {
    const parts = given.split(":");
    const isFine = parts.length === count && parts.every((part) => /^\d{1,10}$/.test(part) && Number(part) <= max);
    const wanted = `must be ${count} numbers of 0 to ${max} with colons between them, such as ${example}`;
    return isFine ? { ok: true, value: given } : fail(`${wanted}, not ${show(given)}`);
  });
}

/** What a route carries and how far it reaches; the node's own settings and those of a VIP pool. */
export const routeSettings = {
  nextHop: nextHop("IPV4").optional(),
  nextHopV6: nextHop("IPV6").optional(),
  communities: field.uniqueList(community(), { max: 32 }).default([]),
  largeCommunities: field.uniqueList(largeCommunity(), { max: 32 }).default([]),
  localPref: field.integer().optional(),
  med: field.integer().optional(),
  /** Length of the prefix that is announced while any VIP inside is. */
  aggregateV4: field.integer({ min: 8, max: 32 }).optional(),
  aggregateV6: field.integer({ min: 16, max: 128 }).optional(),
  whenAllDown: field.choice("WHEN_ALL_DOWN", whenAllDownActions).optional(),
};

const bgp = field.message(routeSettings);
/** What differs from a node's BGP settings for VIPs of a pool. */
export type VipPoolBgp = z.output<typeof bgp>;

/** What `CreateVipPool` takes. */
export const vipPoolSpec = field.message({
  name: field.resourceName(),
  description: field.description().default(""),
  /** Networks and `a-b` ranges, IPv4 and IPv6. */
  cidrs: field.uniqueList(field.addressRange(), { max: 1000 }),
  /** Whether load balancers that name no pool get addresses from it. */
  autoAssign: field.flag().default(true),
  announce: announce.optional(),
  bgp: bgp.optional(),
});

/** A VIP pool as an admin wants it, defaults filled. */
export type VipPoolSpec = z.output<typeof vipPoolSpec>;
/** Addresses that load balancers get; belongs to the installation, not to a tenant. */
export type VipPool = EntityOf<VipPoolSpec, EntityRecord<VipPoolId>>;

const rules: Rules<VipPoolSpec> = ({ cidrs, announce: how }, report) => {
  if (how?.kind === "L2" && how.interface === undefined)
    report("announce.interface", "is required with kind L2: the network interface that gets the addresses", "REQUIRED");
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
