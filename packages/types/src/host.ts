import { type IpAddress, ipScope, isIpv4Mapped, parseIp, unmapIpv4 } from "./address.ts";
import type { Branded } from "./brand.ts";
import { fail, ok, type ParseResult, show } from "./result.ts";

/** 1 to 65535. */
export type Port = Branded<number, "Port">;
/** A DNS name in lower case without the trailing dot. */
export type DnsName = Branded<string, "DnsName">;
/** Where a program is: an address or a name. */
export type Host = IpAddress | DnsName;

/** Reads a port from a number or its decimal text. */
export function parsePort(given: number | string): ParseResult<Port> {
  const port = typeof given === "string" && /^[1-9]\d{0,4}$/.test(given) ? Number(given) : given;
  if (typeof port === "number" && Number.isInteger(port) && port >= 1 && port <= 65_535) return ok(port as Port);
  return fail(`must be a port, 1 to 65535, not ${show(given)}`);
}

const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;
/** What URL parsers and inet_aton take for an IPv4 address, whatever comes before (WHATWG URL, "ends in a number"). */
const NUMBER_LABEL = /^(\d+|0x[0-9a-f]*)$/;

/** Reads a host name (RFC 1123 §2.1, and underscores, which container networks use); a name that ends in a number is none. */
export function parseDnsName(text: string): ParseResult<DnsName> {
  const name = text.toLowerCase().replace(/\.$/, "");
  const labels = name.split(".");
  const last = labels.at(-1) ?? "";
  if (name.length > 253 || !labels.every((label) => LABEL.test(label)) || NUMBER_LABEL.test(last)) {
    return fail(`must be a DNS name, not ${show(text)}`);
  }
  return ok(name as DnsName);
}

/** Reads an address or a name that a connection can be opened to. */
export function parseHost(text: string): ParseResult<Host> {
  const ip = parseIp(text);
  if (ip.ok) return checkConnectable(ip.value);
  const name = text.includes(":") ? fail("") : parseDnsName(text);
  return name.ok ? name : fail(`must be an IP address or a DNS name, not ${show(text)}`);
}

function checkConnectable(ip: IpAddress): ParseResult<IpAddress> {
  if (isIpv4Mapped(ip)) return fail(`must be written as IPv4: ${unmapIpv4(ip)}`);
  const scope = ipScope(ip);
  if (scope === "unspecified" || scope === "multicast" || scope === "broadcast") {
    return fail(`must be the address of one host, not the ${scope} address ${ip}`);
  }
  return ok(ip);
}

/** Whether a {@link Host} is an address and needs no look-up. */
export const isIpHost = (host: Host): host is IpAddress => parseIp(host).ok;

/** `192.0.2.1:80`, `[2001:db8::1]:80`, `app.internal:80`. */
export const formatHostPort = (host: string, port: number): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
