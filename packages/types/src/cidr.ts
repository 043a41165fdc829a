import {
  familyBits,
  type IpAddress,
  type IpFamily,
  ipFamily,
  ipFromBigInt,
  ipToBigInt,
  isIpv4Mapped,
  parseIp,
  unmapIpv4,
} from "./address.ts";
import type { Branded } from "./brand.ts";
import { fail, ok, type ParseResult, show } from "./result.ts";

/** A network in canonical text with no host bits set: `10.0.0.0/8`, `2001:db8::/32`. */
export type Cidr = Branded<string, "Cidr">;
/** A {@link Cidr}, or the addresses from one to another: `192.0.2.10-192.0.2.20`. */
export type AddressRange = Branded<string, "AddressRange"> | Cidr;

/** First and last address of a range, both in it. */
export interface AddressBounds {
  readonly family: IpFamily;
  readonly first: bigint;
  readonly last: bigint;
}

/** Reads a network strictly: the prefix length must be there and no host bit set; the error names the right form. */
export function parseCidr(text: string): ParseResult<Cidr> {
  const [address = "", length, ...rest] = text.split("/");
  const ip = parseIp(address);
  if (!ip.ok || rest.length > 0)
    return fail(`must be a network such as 10.0.0.0/8 or 2001:db8::/32, not ${show(text)}`);
  const bits = familyBits(ipFamily(ip.value));
  if (length === undefined) return fail(`has no prefix length: for this one address write ${ip.value}/${bits}`);
  if (isIpv4Mapped(ip.value)) return fail(`must be written as IPv4, not as the IPv4-mapped ${show(text)}`);
  if (!/^(0|[1-9]\d{0,2})$/.test(length) || Number(length) > bits) {
    return fail(`must have a prefix length of 0 to ${bits}, not ${show(length)}`);
  }
  const network = networkOf(ip.value, Number(length));
  if (network !== ip.value) return fail(`has host bits set: the network is ${network}/${length}`);
  return ok(`${network}/${length}` as Cidr);
}

function networkOf(ip: IpAddress, prefixLength: number): IpAddress {
  const hostBits = BigInt(familyBits(ipFamily(ip)) - prefixLength);
  return ipFromBigInt((ipToBigInt(ip) >> hostBits) << hostBits, ipFamily(ip));
}

/** Reads a network or an `a-b` range; both ends of a range are of one family and in order. */
export function parseAddressRange(text: string): ParseResult<AddressRange> {
  const [from = "", to, ...rest] = text.split("-");
  if (to === undefined) return parseCidr(text);
  const first = parseIp(from.trim());
  const last = parseIp(to.trim());
  if (!first.ok || !last.ok || rest.length > 0) {
    return fail(`must be a network or a range such as 192.0.2.10-192.0.2.20, not ${show(text)}`);
  }
  if (isIpv4Mapped(first.value) || isIpv4Mapped(last.value)) {
    return fail(`must be written as IPv4, not as the IPv4-mapped ${show(text)}`);
  }
  if (ipFamily(first.value) !== ipFamily(last.value)) return fail(`must not mix IPv4 and IPv6: ${show(text)}`);
  if (ipToBigInt(first.value) > ipToBigInt(last.value)) {
    return fail(`must go from the lower to the higher address: ${last.value}-${first.value}`);
  }
  return ok(`${first.value}-${last.value}` as AddressRange);
}

/** First and last address of a range as numbers. */
export function rangeBounds(range: AddressRange): AddressBounds {
  const [from, to] = range.split("-") as [IpAddress, IpAddress | undefined];
  if (to !== undefined) return { family: ipFamily(from), first: ipToBigInt(from), last: ipToBigInt(to) };
  const [network, length] = range.split("/") as [IpAddress, string];
  const family = ipFamily(network);
  const first = ipToBigInt(network);
  return { family, first, last: first + (1n << BigInt(familyBits(family) - Number(length))) - 1n };
}

/** Family of all addresses in the range. */
export const rangeFamily = (range: AddressRange): IpFamily => (range.includes(":") ? "IPV6" : "IPV4");

/** How many addresses the range holds. */
export function rangeSize(range: AddressRange): bigint {
  const { first, last } = rangeBounds(range);
  return last - first + 1n;
}

/** Whether the address is in the range. An IPv4-mapped IPv6 address counts as IPv4, so that it slips past no list. */
export function rangeContains(range: AddressRange, ip: IpAddress): boolean {
  return boundsContain(rangeBounds(range), unmapIpv4(ip));
}

/** {@link rangeContains} for networks. */
export const cidrContains = (cidr: Cidr, ip: IpAddress): boolean => rangeContains(cidr, ip);

function boundsContain({ family, first, last }: AddressBounds, ip: IpAddress): boolean {
  if (ipFamily(ip) !== family) return false;
  const value = ipToBigInt(ip);
  return first <= value && value <= last;
}

/** Whether the two share an address. */
export function rangesOverlap(a: AddressRange, b: AddressRange): boolean {
  const [x, y] = [rangeBounds(a), rangeBounds(b)];
  return x.family === y.family && x.first <= y.last && y.first <= x.last;
}

/** Compiles a list once, for questions on a hot path. An empty list contains nothing. */
export function rangeMatcher(ranges: readonly AddressRange[]): (ip: IpAddress) => boolean {
  const bounds = ranges.map(rangeBounds);
  return (ip) => {
    const plain = unmapIpv4(ip);
    return bounds.some((range) => boundsContain(range, plain));
  };
}
