/**
 * What tells the neighbours on a link that an address has moved here. Pure: whole Ethernet frames, byte by byte.
 */
import { type IpAddress, ipFamily, ipToBigInt } from "@fiberlb/types";

/** A frame and what it is, as the packet socket wants to know it. */
export interface Frame {
  readonly etherType: number;
  /** Link-layer address that it goes to. */
  readonly destination: Uint8Array;
  /** With its Ethernet header. */
  readonly bytes: Uint8Array;
}

const ETHERTYPE_ARP = 0x0806;
const ETHERTYPE_IPV6 = 0x86dd;
const BROADCAST = new Uint8Array(6).fill(0xff);
/** ff02::1, all nodes on the link, and the group address that Ethernet makes of it (RFC 2464 §7). */
const ALL_NODES = 0xff02_0000_0000_0000_0000_0000_0000_0001n;
const ALL_NODES_MAC = new Uint8Array([0x33, 0x33, 0, 0, 0, 1]);

/** An Ethernet address (`02:00:5e:10:00:01`) as bytes. @throws Error when it is none. */
export function parseMac(text: string): Uint8Array {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) throw new Error(`${text || "nothing"} is no Ethernet address`);
  return Uint8Array.from(text.split(":"), (byte) => Number.parseInt(byte, 16));
}

/**
 * All frames that announce an address: for IPv4 a gratuitous ARP in both its forms, because some neighbours heed only
 * requests (the ARP Announcement of RFC 5227 §2.3) and some only replies; for IPv6 an unsolicited advertisement.
 */
export function takeoverFrames(address: IpAddress, mac: Uint8Array): readonly Frame[] {
  if (ipFamily(address) === "IPV6") return [unsolicitedAdvertisement(address, mac)];
  return [gratuitousArp(address, mac, "request"), gratuitousArp(address, mac, "reply")];
}

/** An ARP packet (RFC 826) whose sender and target are the same address, to everybody on the link. */
export function gratuitousArp(address: IpAddress, mac: Uint8Array, form: "request" | "reply"): Frame {
  const ip = addressBytes(address);
  const bytes = concat(
    ethernetHeader(BROADCAST, mac, ETHERTYPE_ARP),
    // Ethernet, IPv4, lengths of their addresses, operation.
    Uint8Array.of(0, 1, 0x08, 0, 6, 4, 0, form === "request" ? 1 : 2),
    mac,
    ip,
    // The target's hardware address: what a request asks for, so nothing; in a reply the sender's again.
    form === "request" ? new Uint8Array(6) : mac,
    ip,
  );
  return { etherType: ETHERTYPE_ARP, destination: BROADCAST, bytes };
}

const ICMPV6 = 58;
const NEIGHBOUR_ADVERTISEMENT = 136;
/** Replace what you know (RFC 4861 §4.4). Not S: nobody asked. Not R: whether this host routes is not said here. */
const OVERRIDE = 0x20;
const TARGET_LINK_LAYER_ADDRESS = 2;
/** A receiver discards anything that may have come through a router (RFC 4861 §7.1.2). */
const HOP_LIMIT = 255;

/** A neighbour advertisement to all nodes that nobody asked for (RFC 4861 §7.2.6). */
export function unsolicitedAdvertisement(address: IpAddress, mac: Uint8Array): Frame {
  const target = addressBytes(address);
  const allNodes = bigIntBytes(ALL_NODES, 16);
  const option = concat(Uint8Array.of(TARGET_LINK_LAYER_ADDRESS, 1), mac);
  const message = concat(Uint8Array.of(NEIGHBOUR_ADVERTISEMENT, 0, 0, 0, OVERRIDE, 0, 0, 0), target, option);
  const sum = checksum(concat(pseudoHeader(target, allNodes, message.length), message));
  message.set([sum >>> 8, sum & 0xff], 2);
  const ipHeader = concat(
    Uint8Array.of(0x60, 0, 0, 0, message.length >>> 8, message.length & 0xff, ICMPV6, HOP_LIMIT),
    target,
    allNodes,
  );
  const bytes = concat(ethernetHeader(ALL_NODES_MAC, mac, ETHERTYPE_IPV6), ipHeader, message);
  return { etherType: ETHERTYPE_IPV6, destination: ALL_NODES_MAC, bytes };
}

const ethernetHeader = (destination: Uint8Array, source: Uint8Array, etherType: number): Uint8Array =>
  concat(destination, source, Uint8Array.of(etherType >>> 8, etherType & 0xff));

/** What the checksum covers besides the message (RFC 8200 §8.1). */
const pseudoHeader = (source: Uint8Array, destination: Uint8Array, length: number): Uint8Array =>
  concat(source, destination, bigIntBytes(BigInt(length), 4), Uint8Array.of(0, 0, 0, ICMPV6));

/** The internet checksum (RFC 1071); the length is even here. */
function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

const addressBytes = (address: IpAddress): Uint8Array =>
  bigIntBytes(ipToBigInt(address), ipFamily(address) === "IPV4" ? 4 : 16);

function bigIntBytes(value: bigint, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => Number((value >> BigInt(8 * (length - 1 - at))) & 0xffn));
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
