import type { Cidr, IpAddress } from "@fiberlb/types";

import type { Route } from "../route.ts";
import { formatCommunity, formatLargeCommunity, type LargeCommunity } from "./communities.ts";

/** A route as numbers, in the one form that equal routes share: communities in order, each once. */
export interface Path {
  readonly prefix: Cidr;
  readonly nextHop: IpAddress;
  readonly communities: readonly number[];
  readonly largeCommunities: readonly LargeCommunity[];
  readonly localPreference?: number;
  readonly med?: number;
}

/** Brings communities, in which order and repetition mean nothing, into the one form. */
export function normalPath(path: Path): Path {
  const large = new Map(path.largeCommunities.map((one) => [formatLargeCommunity(one), one]));
  return {
    ...path,
    communities: [...new Set(path.communities)].toSorted((a, b) => a - b),
    largeCommunities: [...large.values()].toSorted((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]),
  };
}

/** Whether two normal paths say the same. */
export const samePath = (a: Path, b: Path): boolean =>
  a === b ||
  (a.prefix === b.prefix &&
    a.nextHop === b.nextHop &&
    a.localPreference === b.localPreference &&
    a.med === b.med &&
    sameItems(a.communities, b.communities) &&
    sameItems(a.largeCommunities.flat(), b.largeCommunities.flat()));

const sameItems = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((item, index) => item === b[index]);

/** For people and reports. */
export function routeOf({ prefix, nextHop, communities, largeCommunities, localPreference, med }: Path): Route {
  return {
    prefix,
    nextHop,
    ...(communities.length > 0 && { communities: communities.map(formatCommunity) }),
    ...(largeCommunities.length > 0 && { largeCommunities: largeCommunities.map(formatLargeCommunity) }),
    ...(localPreference !== undefined && { localPreference }),
    ...(med !== undefined && { med }),
  };
}
