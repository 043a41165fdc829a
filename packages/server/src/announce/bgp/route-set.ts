/**
 * VIPs that are announced → routes. Pure.
 */
import type { Route } from "@fiberlb/bgp-speaker";
import {
  type Cidr,
  compareIp,
  type IpAddress,
  ipFamily,
  type IpFamily,
  ipFromBigInt,
  ipToBigInt,
  type VipPool,
} from "@fiberlb/types";

import type { BgpConfig } from "../../config/bgp-schema.ts";
import type { WhenAllDown } from "../decide.ts";

/** How VIPs of a pool are announced: the node's settings, and what differs for the pool. */
export interface RouteSettings {
  /** `self` or an address. */
  readonly nextHop: string;
  readonly nextHopV6: string;
  readonly communities: readonly string[];
  readonly largeCommunities: readonly string[];
  readonly localPref?: number | undefined;
  readonly med?: number | undefined;
  readonly aggregateV4: number;
  readonly aggregateV6: number;
  readonly whenAllDown: WhenAllDown;
}

/** The settings of a pool; what it leaves open is the node's. */
export function settingsOf(node: BgpConfig, { bgp: own }: Pick<VipPool, "bgp"> = {}): RouteSettings {
  const whenAllDown = own?.whenAllDown?.toLowerCase() as WhenAllDown | undefined;
  return {
    nextHop: own?.nextHop ?? node.nextHop,
    nextHopV6: own?.nextHopV6 ?? node.nextHopV6,
    communities: firstOf(own?.communities, node.communities),
    largeCommunities: firstOf(own?.largeCommunities, node.largeCommunities),
    localPref: own?.localPref ?? node.localPref,
    med: own?.med ?? node.med,
    aggregateV4: own?.aggregateV4 ?? node.aggregateV4,
    aggregateV6: own?.aggregateV6 ?? node.aggregateV6,
    whenAllDown: whenAllDown ?? node.whenAllDown,
  };
}

const firstOf = (own: readonly string[] | undefined, fallback: readonly string[]): readonly string[] =>
  own === undefined || own.length === 0 ? fallback : own;

/** GRACEFUL_SHUTDOWN (RFC 8326): routers that honour it prefer every other way, and still use this one. */
export const GRACEFUL_SHUTDOWN = "65535:0";

/** A VIP that is to be announced. */
export interface AnnouncedVip {
  readonly vip: IpAddress;
  readonly settings: RouteSettings;
  /** Resolved; of the VIP's family. */
  readonly nextHop: IpAddress;
  /** See `VipAbility`. */
  readonly kernelOnly: boolean;
}

/** A route, and whether the kernel alone forwards all that it leads to. */
export interface GuardedRoute extends Route {
  readonly kernelOnly: boolean;
}

/** One route for each prefix; where VIPs of one prefix want different attributes, those of the lowest VIP count. */
export function routesOf(vips: readonly AnnouncedVip[], { shutdown = false } = {}): readonly GuardedRoute[] {
  const byPrefix = new Map<Cidr, GuardedRoute>();
  for (const one of vips.toSorted((a, b) => compareIp(a.vip, b.vip))) {
    const prefix = prefixOf(one.vip, one.settings);
    const known = byPrefix.get(prefix);
    if (known === undefined) byPrefix.set(prefix, routeOf(one, prefix, shutdown));
    // Who watches over one VIP of the prefix watches over the prefix.
    else if (!one.kernelOnly) byPrefix.set(prefix, { ...known, kernelOnly: false });
  }
  return [...byPrefix.values()];
}

function routeOf({ settings, nextHop, kernelOnly }: AnnouncedVip, prefix: Cidr, shutdown: boolean): GuardedRoute {
  const { largeCommunities, localPref, med } = settings;
  const communities = communitiesOf(settings, shutdown);
  return {
    prefix,
    nextHop,
    kernelOnly,
    ...(communities.length > 0 && { communities }),
    ...(largeCommunities.length > 0 && { largeCommunities }),
    ...(localPref !== undefined && { localPreference: localPref }),
    ...(med !== undefined && { med }),
  };
}

/** What the route of a VIP carries. */
export const communitiesOf = ({ communities }: RouteSettings, shutdown: boolean): readonly string[] =>
  shutdown ? [...new Set([...communities, GRACEFUL_SHUTDOWN])] : communities;

/** What is announced for a VIP: itself, or the aggregate that it is in. */
export function prefixOf(vip: IpAddress, { aggregateV4, aggregateV6 }: RouteSettings): Cidr {
  const family = ipFamily(vip);
  const length = family === "IPV4" ? aggregateV4 : aggregateV6;
  const hostBits = BigInt((family === "IPV4" ? 32 : 128) - length);
  const network = (ipToBigInt(vip) >> hostBits) << hostBits;
  return `${ipFromBigInt(network, family)}/${length}` as Cidr;
}

/** What the settings say of where packets go: `self` or an address. */
export const nextHopSetting = ({ nextHop, nextHopV6 }: RouteSettings, family: IpFamily): string =>
  family === "IPV4" ? nextHop : nextHopV6;
