import ipaddr from "ipaddr.js";

import type { Branded } from "./brand.ts";
import { fail, ok, type ParseResult, show } from "./result.ts";

/** An IPv4 or IPv6 address in its one canonical text (RFC 5952 for IPv6): equal addresses are equal strings. */
export type IpAddress = Branded<string, "IpAddress">;

/** Values of the API's `IpFamily`. */
export const ipFamilies = ["IPV4", "IPV6"] as const;
/** Which kind of address. */
export type IpFamily = (typeof ipFamilies)[number];

const MAPPED_PREFIX = 0xffffn << 32n;
const BITS = { IPV4: 32, IPV6: 128 } as const;

/** Bits of an address: 32 or 128. */
export const familyBits = (family: IpFamily): 32 | 128 => BITS[family];

/**
 * Reads an address strictly: four decimal parts without leading zeros, or IPv6 without zone and brackets. The short, octal
 * and hexadecimal forms of inet_aton are refused, because programs disagree on what they mean.
 */
export function parseIp(text: string): ParseResult<IpAddress> {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ok(text as IpAddress);
  if (text.includes("%")) return fail(`must be an address without a zone, not ${show(text)}`);
  const value = parseIpv6(text);
  if (value === undefined) return fail(`must be an IPv4 or IPv6 address, not ${show(text)}`);
  return ok(ipFromBigInt(value, "IPV6"));
}

function parseIpv6(text: string): bigint | undefined {
  const dotted = /^(.*:)([^:]*\..*)$/.exec(text);
  if (dotted !== null && !ipaddr.IPv4.isValidFourPartDecimal(dotted[2] ?? "")) return undefined;
  if (!/^[0-9a-f:.]+$/i.test(text) || !text.includes(":") || !ipaddr.IPv6.isValid(text)) return undefined;
  return bytesToBigInt(ipaddr.IPv6.parse(text).toByteArray());
}

const bytesToBigInt = (bytes: readonly number[]): bigint => bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);

/** Family of an address; an IPv4-mapped address is IPv6. */
export const ipFamily = (ip: IpAddress): IpFamily => (ip.includes(":") ? "IPV6" : "IPV4");

/** The address as an unsigned number of 32 or 128 bits. */
export function ipToBigInt(ip: IpAddress): bigint {
  return bytesToBigInt(ipaddr.parse(ip).toByteArray());
}

/** @throws RangeError when the number has more bits than the family. */
export function ipFromBigInt(value: bigint, family: IpFamily): IpAddress {
  const bits = familyBits(family);
  if (value < 0n || value >> BigInt(bits) !== 0n) {
    throw new RangeError(`Cannot make an ${family} address: ${value} does not fit ${bits} bits`);
  }
  const bytes = Array.from({ length: bits / 8 }, (_, i) => Number((value >> BigInt(bits - 8 - 8 * i)) & 0xffn));
  if (family === "IPV4") return bytes.join(".") as IpAddress;
  // RFC 5952 §5: IPv4-mapped addresses keep their dotted end.
  if (value >> 32n === MAPPED_PREFIX >> 32n) return `::ffff:${bytes.slice(12).join(".")}` as IpAddress;
  return new ipaddr.IPv6(bytes).toRFC5952String() as IpAddress;
}

/** Orders IPv4 before IPv6, then by number. */
export function compareIp(a: IpAddress, b: IpAddress): number {
  const byFamily = familyBits(ipFamily(a)) - familyBits(ipFamily(b));
  if (byFamily !== 0) return byFamily;
  const difference = ipToBigInt(a) - ipToBigInt(b);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** Whether it is an IPv4 address in IPv6 dress, `::ffff:192.0.2.1` (RFC 4291 §2.5.5.2). */
export const isIpv4Mapped = (ip: IpAddress): boolean => ip.startsWith("::ffff:") && ip.includes(".");

/** The IPv4 address inside an IPv4-mapped one; any other address unchanged. */
export const unmapIpv4 = (ip: IpAddress): IpAddress =>
  isIpv4Mapped(ip) ? (ip.slice("::ffff:".length) as IpAddress) : ip;

/** What an address is for, as far as a load balancer cares; an IPv4-mapped address is judged as IPv4. */
export type IpScope = "unspecified" | "loopback" | "link-local" | "multicast" | "broadcast" | "unicast";

/** What the address is for (RFC 6890). */
export function ipScope(ip: IpAddress): IpScope {
  const range: string = ipaddr.parse(unmapIpv4(ip)).range();
  switch (range) {
    case "unspecified":
    case "loopback":
    case "multicast":
    case "broadcast":
      return range;
    case "linkLocal":
      return "link-local";
    default:
      return "unicast";
  }
}
