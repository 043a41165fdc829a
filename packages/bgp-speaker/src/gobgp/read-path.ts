import { type IpAddress, parseCidr, parseIp } from "@fiberlb/types";

import type { LargeCommunity } from "../routes/communities.ts";
import { normalPath, type Path } from "../routes/path.ts";

/** ORIGIN of what a program announces: inside the own network (RFC 4271 section 5.1.1). */
export const ORIGIN_IGP = 0;

/** What one attribute of a listed path adds to it; attributes that the speaker does not set add nothing. */
export type PathPart = Partial<Omit<Path, "prefix" | "nextHop">> & { readonly nextHop?: string };

/** @returns undefined for a prefix that the speaker would never announce */
export function readPath(destination: string, parts: readonly PathPart[]): Path | undefined {
  const prefix = parseCidr(destination);
  if (!prefix.ok) return undefined;
  const { nextHop = "", ...rest }: PathPart = Object.assign({}, ...parts);
  const parsed = parseIp(nextHop);
  return normalPath({
    prefix: prefix.value,
    // Something else than an address is not what we set: it will differ from what is desired, and be replaced.
    nextHop: parsed.ok ? parsed.value : (nextHop as IpAddress),
    communities: rest.communities ?? [],
    largeCommunities: rest.largeCommunities ?? [],
    ...(rest.localPreference !== undefined && { localPreference: rest.localPreference }),
    ...(rest.med !== undefined && { med: rest.med }),
  });
}

interface WireLargeCommunity {
  readonly globalAdmin: number;
  readonly localData1: number;
  readonly localData2: number;
}

/** A large community as both generations have it. */
export const toWireLarge = ([globalAdmin, localData1, localData2]: LargeCommunity): WireLargeCommunity => ({
  globalAdmin,
  localData1,
  localData2,
});

/** The inverse of {@link toWireLarge}. */
export const fromWireLarge = ({ globalAdmin, localData1, localData2 }: WireLargeCommunity): LargeCommunity => [
  globalAdmin,
  localData1,
  localData2,
];
