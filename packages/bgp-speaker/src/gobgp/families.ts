import type { Cidr } from "@fiberlb/types";

/** An address family as BGP numbers it (RFC 4760): afi 1 is IPv4, 2 is IPv6; safi 1 is unicast. */
export interface Family {
  readonly afi: number;
  readonly safi: number;
}

export const IPV4_UNICAST: Family = { afi: 1, safi: 1 };
export const IPV6_UNICAST: Family = { afi: 2, safi: 1 };

/** What the speaker announces, and what each session carries. */
export const families: readonly Family[] = [IPV4_UNICAST, IPV6_UNICAST];

/** Family of a prefix. */
export const familyOf = (prefix: Cidr): Family => (prefix.includes(":") ? IPV6_UNICAST : IPV4_UNICAST);

/** A prefix in the two parts that the wire has. */
export function wirePrefix(prefix: Cidr): { readonly prefix: string; readonly prefixLen: number } {
  const [address = "", length] = prefix.split("/");
  return { prefix: address, prefixLen: Number(length) };
}
