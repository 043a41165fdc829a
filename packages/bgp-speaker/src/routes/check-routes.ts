import { type Cidr, type IpAddress, ipFamily, ipScope, parseCidr, parseIp, rangeFamily } from "@fiberlb/types";

import { RouteError } from "../errors.ts";
import type { Route } from "../route.ts";
import { parseCommunity, parseLargeCommunity } from "./communities.ts";
import { normalPath, type Path, samePath } from "./path.ts";

const UINT32 = 0xffff_ffff;

/**
 * Reads a desired set strictly. GoBGP itself takes much in silence that announces something else than what was meant: it
 * cuts off host bits, and accepts an IPv4 next hop for an IPv6 prefix.
 * @throws RouteError that names the route
 */
export function checkRoutes(routes: readonly Route[]): ReadonlyMap<Cidr, Path> {
  const paths = new Map<Cidr, Path>();
  for (const route of routes) {
    const path = checkRoute(route);
    const earlier = paths.get(path.prefix);
    if (earlier !== undefined && !samePath(earlier, path)) {
      throw new RouteError(`Cannot announce ${path.prefix}: it is given twice, with different attributes`);
    }
    paths.set(path.prefix, path);
  }
  return paths;
}

function checkRoute(route: Route): Path {
  try {
    const prefix = checkPrefix(route.prefix);
    return normalPath({
      prefix,
      nextHop: checkNextHop(route.nextHop, prefix),
      communities: (route.communities ?? []).map(parseCommunity),
      largeCommunities: (route.largeCommunities ?? []).map(parseLargeCommunity),
      ...checkNumber("localPreference", route.localPreference),
      ...checkNumber("med", route.med),
    });
  } catch (error) {
    if (error instanceof RouteError) throw new RouteError(`Cannot announce ${route.prefix}: ${error.message}`);
    throw error;
  }
}

function checkPrefix(text: string): Cidr {
  const prefix = parseCidr(text);
  if (!prefix.ok) throw new RouteError(`the prefix ${prefix.error}`);
  return prefix.value;
}

function checkNextHop(text: string, prefix: Cidr): IpAddress {
  const nextHop = parseIp(text);
  if (!nextHop.ok) throw new RouteError(`the next hop ${nextHop.error}`);
  if (ipFamily(nextHop.value) !== rangeFamily(prefix)) {
    throw new RouteError(`the next hop ${text} is of the other address family`);
  }
  const scope = ipScope(nextHop.value);
  if (scope !== "unicast" && scope !== "link-local") throw new RouteError(`the next hop ${text} is a ${scope} address`);
  return nextHop.value;
}

function checkNumber<Name extends string>(name: Name, value: number | undefined): { readonly [key in Name]?: number } {
  if (value === undefined) return {};
  if (!Number.isInteger(value) || value < 0 || value > UINT32) {
    throw new RouteError(`${name} must be a whole number from 0 to ${UINT32}, not ${value}`);
  }
  return { [name]: value } as { readonly [key in Name]?: number };
}
