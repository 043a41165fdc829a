import { type Cidr, type IpAddress, ipFamily, ipScope, parseCidr, parseIp, rangeFamily } from "@fiberlb/types";

import { RouteError } from "../errors.ts";
import type { Route } from "../route.ts";
import { parseCommunity, parseLargeCommunity } from "./communities.ts";
import type { PathTable } from "./diff.ts";
import { normalPath, type Path, samePath } from "./path.ts";

const UINT32 = 0xffff_ffff;
/** GoBGP puts its own address on each session in its place; for IPv6 over an IPv4 session it can't. */
const SELF = "0.0.0.0";

/** Routes that have been checked, by their text. */
type Checked = ReadonlyMap<string, Path>;

/**
 * Reads desired sets strictly. GoBGP itself takes much in silence that announces something else than what was meant: it cuts
 * off host bits, and accepts an IPv4 next hop for an IPv6 prefix.
 */
export class RouteReader {
  /** Of the last set: most routes of the next one are the same, and a withdrawal should not wait for reading them again. */
  #checked: Checked = new Map();

  /** @throws RouteError that names the first bad route */
  read(routes: readonly Route[]): PathTable {
    const checked = new Map<string, Path>();
    const paths = new Map<Cidr, Path>();
    for (const route of routes) {
      const text = textOf(route);
      const path = this.#checked.get(text) ?? checked.get(text) ?? checkRoute(route);
      const earlier = paths.get(path.prefix);
      if (earlier !== undefined && !samePath(earlier, path)) {
        throw new RouteError(`Cannot announce ${path.prefix}: it is given twice, with different attributes`);
      }
      checked.set(text, path);
      paths.set(path.prefix, path);
    }
    this.#checked = checked;
    return paths;
  }
}

/** The same for routes that say the same in the same words. */
const textOf = ({ prefix, nextHop, communities, largeCommunities, localPreference, med }: Route): string =>
  JSON.stringify([prefix, nextHop, communities, largeCommunities, localPreference, med]);

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
  const fits = scope === "unicast" || scope === "link-local" || nextHop.value === SELF;
  if (!fits) throw new RouteError(`the next hop ${text} is no router's address (${scope})`);
  return nextHop.value;
}

function checkNumber<Name extends string>(name: Name, value: number | undefined): { readonly [key in Name]?: number } {
  if (value === undefined) return {};
  if (!Number.isInteger(value) || value < 0 || value > UINT32) {
    throw new RouteError(`${name} must be a whole number from 0 to ${UINT32}, not ${value}`);
  }
  return { [name]: value } as { readonly [key in Name]?: number };
}
