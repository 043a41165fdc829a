/** Words that nft has for the two families. */
export interface FamilyWords {
  /** Ends the names of sets of the base. */
  readonly suffix: "4" | "6";
  /** `ip daddr`, `dnat ip to`. */
  readonly ip: "ip" | "ip6";
  readonly addressType: "ipv4_addr" | "ipv6_addr";
}

/** IPv4. */
export const IPV4: FamilyWords = { suffix: "4", ip: "ip", addressType: "ipv4_addr" };
/** IPv6. */
export const IPV6: FamilyWords = { suffix: "6", ip: "ip6", addressType: "ipv6_addr" };

/** The family of canonical IP text. */
export function familyOf(address: string): FamilyWords {
  return address.includes(":") ? IPV6 : IPV4;
}

/** Protocols that are forwarded. */
export type Transport = "tcp" | "udp";

/** Where clients connect to. */
export interface Endpoint {
  readonly vip: string;
  readonly transport: Transport;
  readonly port: number;
}

/** The key of an endpoint in sets of the base: address . protocol . port. */
export function endpointKey({ vip, transport, port }: Endpoint): string {
  return `${vip} . ${transport} . ${port}`;
}
