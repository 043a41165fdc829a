/**
 * The PROXY protocol, versions 1 and 2 (HAProxy's "The PROXY protocol", revision of 2020-03-05): who the client is, told by the
 * proxy before us, and told by us to backends. Pure.
 */
import { ipFromBigInt, ipToBigInt, type IpAddress, parseIp, unmapIpv4 } from "@fiberlb/types";

import type { Flow } from "../select/selector.ts";
import type { Endpoint, ProxiedEndpoints } from "../transport/transport.ts";

export type { ProxiedEndpoints } from "../transport/transport.ts";

/** What a header says. */
export interface ProxyHeader {
  readonly kind: "header";
  /** undefined: the connection is the proxy's own (LOCAL, such as a health check) or of an unknown kind. */
  readonly endpoints: ProxiedEndpoints | undefined;
  /** Bytes of the header; what follows is the client's. */
  readonly length: number;
}

/** What the beginning of a connection is. */
export type ProxyHeaderResult =
  | ProxyHeader
  | { readonly kind: "incomplete" }
  /** `problem` says why it is no header. */
  | { readonly kind: "failed"; readonly problem: string };

/** Longest header of version 1, line end included (§2.1). */
const MAX_V1_BYTES = 107;
/** Longest header of version 2 that is read: addresses, and room for certificates in TLVs. */
export const MAX_PROXY_HEADER_BYTES = 4096;

const V1_SIGNATURE = Buffer.from("PROXY ");
const V2_SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
/** Signature, version and command, family, length. */
const V2_FIXED_BYTES = 16;
const INCOMPLETE: ProxyHeaderResult = { kind: "incomplete" };

const failed = (problem: string): ProxyHeaderResult => ({ kind: "failed", problem });

/** Reads the header at the beginning of `bytes`; call again with more while it is incomplete. */
export function parseProxyHeader(bytes: Uint8Array): ProxyHeaderResult {
  if (bytes.length === 0) return INCOMPLETE;
  if (bytes[0] === V2_SIGNATURE[0]) return parseV2(bytes);
  const compared = Math.min(bytes.length, V1_SIGNATURE.length);
  if (V1_SIGNATURE.compare(bytes, 0, compared, 0, compared) !== 0) {
    return failed("the connection does not begin with a PROXY protocol header");
  }
  return parseV1(bytes);
}

function parseV1(bytes: Uint8Array): ProxyHeaderResult {
  const end = bytes.subarray(0, MAX_V1_BYTES).indexOf(LF);
  if (end < 0) return bytes.length < MAX_V1_BYTES ? INCOMPLETE : failed("its line is longer than 107 bytes");
  if (bytes[end - 1] !== CR) return failed("its line does not end with CR LF");
  const words = Buffer.from(bytes.buffer, bytes.byteOffset, end - 1)
    .toString("latin1")
    .split(" ");
  const length = end + 1;
  // What follows UNKNOWN is to be ignored (§2.1).
  if (words[1] === "UNKNOWN") return { kind: "header", endpoints: undefined, length };
  const endpoints = words.length === 6 ? readV1(words) : undefined;
  return endpoints === undefined
    ? failed("its line is not as version 1 wants it")
    : { kind: "header", endpoints, length };
}

const CR = 0x0d;
const LF = 0x0a;
const V1_FAMILY: Readonly<Record<string, "IPV4" | "IPV6">> = { TCP4: "IPV4", TCP6: "IPV6" };

function readV1([, family = "", ...words]: readonly string[]): ProxiedEndpoints | undefined {
  const [source, destination] = [readAddress(words[0], family), readAddress(words[1], family)];
  const [sourcePort, destinationPort] = [readPort(words[2]), readPort(words[3])];
  if (source === undefined || destination === undefined) return undefined;
  if (sourcePort === undefined || destinationPort === undefined) return undefined;
  return {
    source: { address: source, port: sourcePort },
    destination: { address: destination, port: destinationPort },
  };
}

function readAddress(text: string | undefined, family: string): IpAddress | undefined {
  const wanted = V1_FAMILY[family];
  if (text === undefined || wanted === undefined) return undefined;
  // Dotted decimals, or hexadecimal groups: a zone or brackets would be let through by a parser for people.
  if (!(wanted === "IPV4" ? V4 : V6).test(text)) return undefined;
  const parsed = parseIp(text);
  return parsed.ok ? unmapIpv4(parsed.value) : undefined;
}

const V4 = /^\d{1,3}(\.\d{1,3}){3}$/;
const V6 = /^[\da-fA-F:.]+:[\da-fA-F:.]*$/;
const PORT = /^(0|[1-9]\d{0,4})$/;

function readPort(text: string | undefined): number | undefined {
  if (text === undefined || !PORT.test(text)) return undefined;
  const port = Number(text);
  return port <= 65_535 ? port : undefined;
}

const COMMAND_LOCAL = 0;
const COMMAND_PROXY = 1;
/** Second half of the family byte: a stream. */
const STREAM = 1;
/** First half of the family byte, and the bytes of its addresses. */
const V2_FAMILIES = { unspecified: 0, ipv4: 1, ipv6: 2, unix: 3 } as const;
const V2_ADDRESS_BYTES: readonly number[] = [0, 12, 36, 216];

function parseV2(bytes: Uint8Array): ProxyHeaderResult {
  const compared = Math.min(bytes.length, V2_SIGNATURE.length);
  if (V2_SIGNATURE.compare(bytes, 0, compared, 0, compared) !== 0) return failed("its signature is not version 2's");
  if (bytes.length < V2_FIXED_BYTES) return INCOMPLETE;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [command, family] = [view.getUint8(12), view.getUint8(13)];
  if (command >> 4 !== 2) return failed(`it is of version ${command >> 4}, not 2`);
  const length = V2_FIXED_BYTES + view.getUint16(14);
  if (length > MAX_PROXY_HEADER_BYTES) return failed(`it is ${length} bytes long, more than ${MAX_PROXY_HEADER_BYTES}`);
  if (bytes.length < length) return INCOMPLETE;
  return readV2(new DataView(view.buffer, view.byteOffset, length), { command: command & 0xf, family });
}

function readV2(view: DataView, { command, family }: { command: number; family: number }): ProxyHeaderResult {
  const length = view.byteLength;
  if (command !== COMMAND_LOCAL && command !== COMMAND_PROXY) return failed(`its command ${command} is unknown`);
  const addressBytes = V2_ADDRESS_BYTES[family >> 4];
  if (addressBytes === undefined || (family & 0xf) > 2) return failed(`its family 0x${family.toString(16)} is unknown`);
  if (length < V2_FIXED_BYTES + addressBytes) return failed("it is too short for its addresses");
  const problem = tlvProblem(view, V2_FIXED_BYTES + addressBytes);
  if (problem !== undefined) return failed(problem);
  const isIp = family >> 4 === V2_FAMILIES.ipv4 || family >> 4 === V2_FAMILIES.ipv6;
  if (command === COMMAND_LOCAL || !isIp) return { kind: "header", endpoints: undefined, length };
  if ((family & 0xf) !== STREAM) return failed("it speaks of datagrams on a connection");
  const width = addressBytes === 12 ? 4 : 16;
  const at = (index: number): string => readBinary(view, V2_FIXED_BYTES + index * width, width);
  const port = (index: number): number => view.getUint16(V2_FIXED_BYTES + 2 * width + 2 * index);
  const endpoints = {
    source: { address: at(0), port: port(0) },
    destination: { address: at(1), port: port(1) },
  };
  return { kind: "header", endpoints, length };
}

function readBinary(view: DataView, at: number, width: 4 | 16): string {
  if (width === 4) return ipFromBigInt(BigInt(view.getUint32(at)), "IPV4");
  return unmapIpv4(ipFromBigInt((view.getBigUint64(at) << 64n) | view.getBigUint64(at + 8), "IPV6"));
}

const TLV_HEAD_BYTES = 3;
const TLV_CRC32C = 3;

/** Type-length-values say more (§2.2); nothing of it is used, but they must fit, and a checksum must be right. */
function tlvProblem(view: DataView, from: number): string | undefined {
  let at = from;
  while (at < view.byteLength) {
    if (at + TLV_HEAD_BYTES > view.byteLength) return "a TLV is cut off";
    const valueAt = at + TLV_HEAD_BYTES;
    const end = valueAt + view.getUint16(at + 1);
    if (end > view.byteLength) return "a TLV is longer than the header";
    if (
      view.getUint8(at) === TLV_CRC32C &&
      (end - valueAt !== 4 || view.getUint32(valueAt) !== checksum(view, valueAt))
    ) {
      return "its checksum is wrong";
    }
    at = end;
  }
  return undefined;
}

/** CRC-32C (RFC 4960 appendix B) of the header with the four bytes of the checksum taken as zero. */
function checksum(view: DataView, zeroAt: number): number {
  let crc = 0xffffffff;
  for (let at = 0; at < view.byteLength; at++) {
    crc ^= at >= zeroAt && at < zeroAt + 4 ? 0 : view.getUint8(at);
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}

/** The header of a connection, or datagram, that is the balancer's own, such as a health check's (§2.1, §2.2). */
export function writeLocalProxyHeader(version: "V1" | "V2"): Buffer {
  if (version === "V1") return Buffer.from("PROXY UNKNOWN\r\n");
  return Buffer.concat([V2_SIGNATURE, Buffer.of(0x20 | COMMAND_LOCAL, V2_FAMILIES.unspecified, 0, 0)]);
}

/** A header for backends, and what it has in common with the headers of the same connection: all its bytes as text. */
export interface Announcement {
  readonly header: Uint8Array;
  readonly key: string;
}

/** {@link writeProxyHeader} with its key. */
export function announce(version: "V1" | "V2", endpoints: ProxiedEndpoints): Announcement {
  const header = writeProxyHeader(version, endpoints);
  return { header, key: header.toString("latin1") };
}

/**
 * What backends are told of a connection, or of a datagram: its client and where that connected to, which is the VIP unless
 * a proxy before us said otherwise.
 */
export function endpointsOf(
  { clientAddress, clientPort, vip, vipPort }: Flow,
  proxied: ProxiedEndpoints | undefined,
): ProxiedEndpoints {
  return (
    proxied ?? {
      source: { address: clientAddress, port: clientPort },
      destination: { address: vip, port: vipPort },
    }
  );
}

/** The header of a connection for a backend. */
export function writeProxyHeader(version: "V1" | "V2", endpoints: ProxiedEndpoints): Buffer {
  const isV6 = endpoints.source.address.includes(":") || endpoints.destination.address.includes(":");
  return version === "V1" ? writeV1(endpoints, isV6) : writeV2(endpoints, { isV6, transport: STREAM });
}

const DATAGRAM = 2;

/** The header of version 2 before a datagram. */
export function writeDatagramProxyHeader(endpoints: ProxiedEndpoints): Buffer {
  const isV6 = endpoints.source.address.includes(":") || endpoints.destination.address.includes(":");
  return writeV2(endpoints, { isV6, transport: DATAGRAM });
}

function writeV1({ source, destination }: ProxiedEndpoints, isV6: boolean): Buffer {
  const text = ({ address }: Endpoint): string => (isV6 && !address.includes(":") ? `::ffff:${address}` : address);
  const family = isV6 ? "TCP6" : "TCP4";
  return Buffer.from(`PROXY ${family} ${text(source)} ${text(destination)} ${source.port} ${destination.port}\r\n`);
}

/** An IPv4 address in IPv6 (RFC 4291 §2.5.5.2): both ends must be of one family. */
const MAPPED = 0xffffn << 32n;

function writeV2(
  { source, destination }: ProxiedEndpoints,
  { isV6, transport }: { readonly isV6: boolean; readonly transport: number },
): Buffer {
  const width = isV6 ? 16 : 4;
  const out = Buffer.alloc(V2_FIXED_BYTES + 2 * width + 4);
  V2_SIGNATURE.copy(out);
  out[12] = 0x20 | COMMAND_PROXY;
  out[13] = ((isV6 ? V2_FAMILIES.ipv6 : V2_FAMILIES.ipv4) << 4) | transport;
  out.writeUInt16BE(2 * width + 4, 14);
  for (const [index, { address, port }] of [source, destination].entries()) {
    const at = V2_FIXED_BYTES + index * width;
    const value = ipToBigInt(address as IpAddress);
    if (isV6) {
      const wide = address.includes(":") ? value : value | MAPPED;
      out.writeBigUInt64BE(wide >> 64n, at);
      out.writeBigUInt64BE(wide & 0xffff_ffff_ffff_ffffn, at + 8);
    } else out.writeUInt32BE(Number(value), at);
    out.writeUInt16BE(port, V2_FIXED_BYTES + 2 * width + 2 * index);
  }
  return out;
}
