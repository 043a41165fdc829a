import { encodeAddressInto, IPV6_BYTES } from "./address.ts";

/** Both ends of one connection or datagram flow, as a packet from the client carries them. */
export interface Flow {
  /** Client's address, IPv4 or IPv6 in text. */
  readonly sourceAddress: string;
  /** Client's port, 0–65535. */
  readonly sourcePort: number;
  /** The virtual IP that the client sent to, of the same family. */
  readonly destinationAddress: string;
  /** The listener's port, 0–65535. */
  readonly destinationPort: number;
  /**
   * IP protocol number (6 TCP, 17 UDP) as a fifth field. Leave it out where one rule serves one protocol: it would
   * only be a constant, and FiberLB's nftables rules don't hash it.
   */
  readonly protocol?: number;
}

/** The bytes that the longest key takes: two IPv6 addresses, two ports, the protocol. */
export const MAX_FLOW_KEY_BYTES = 2 * IPV6_BYTES + 3 * 4;

/** nftables loads every field into registers of four bytes: a port is two bytes and two zeros. */
const REGISTER_BYTES = 4;

// One destination object for all calls: encoding a packet's key must not allocate.
const cursor: { bytes: Uint8Array; offset: number } = { bytes: new Uint8Array(0), offset: 0 };

function writePort(port: number): void {
  if (!Number.isInteger(port) || port < 0 || port > 0xffff) {
    throw new RangeError(`Cannot encode port ${port}: a port is a whole number from 0 to 65535`);
  }
  const { bytes, offset } = cursor;
  bytes[offset] = port >> 8;
  bytes[offset + 1] = port & 0xff;
  bytes[offset + 2] = 0;
  bytes[offset + 3] = 0;
  cursor.offset += REGISTER_BYTES;
}

function writeProtocol(protocol: number): void {
  if (!Number.isInteger(protocol) || protocol < 0 || protocol > 0xff) {
    throw new RangeError(`Cannot encode protocol ${protocol}: an IP protocol is a whole number from 0 to 255`);
  }
  const { bytes, offset } = cursor;
  bytes[offset] = protocol;
  bytes.fill(0, offset + 1, offset + REGISTER_BYTES);
  cursor.offset += REGISTER_BYTES;
}

function requireRoom(bytes: Uint8Array): void {
  if (bytes.length >= MAX_FLOW_KEY_BYTES) return;
  throw new RangeError(
    `Cannot encode a flow key into ${bytes.length} bytes: the buffer needs ${MAX_FLOW_KEY_BYTES}, room for IPv6`,
  );
}

/**
 * Writes the key of a flow at the start of `bytes`: the fields of nftables' `ip saddr . ip daddr . tcp sport .
 * tcp dport` (and `. meta l4proto` with a protocol), in network byte order, each padded to four bytes.
 *
 * @param bytes at least {@link MAX_FLOW_KEY_BYTES} long, reusable from call to call
 * @returns the length of the key: 16 for IPv4 and 40 for IPv6, 4 more with a protocol
 * @throws TypeError if an address is none or the families differ, RangeError for a bad port or a short buffer
 */
export function encodeFiveTupleInto(flow: Flow, bytes: Uint8Array): number {
  requireRoom(bytes);
  cursor.bytes = bytes;
  cursor.offset = 0;
  const sourceBytes = encodeAddressInto(flow.sourceAddress, cursor);
  cursor.offset = sourceBytes;
  const destinationBytes = encodeAddressInto(flow.destinationAddress, cursor);
  if (sourceBytes !== destinationBytes) {
    throw new TypeError(
      `Cannot encode the flow from ${flow.sourceAddress} to ${flow.destinationAddress}: one address is IPv4, the ` +
        "other IPv6",
    );
  }
  cursor.offset += destinationBytes;
  writePort(flow.sourcePort);
  writePort(flow.destinationPort);
  if (flow.protocol !== undefined) writeProtocol(flow.protocol);
  return cursor.offset;
}

/** As {@link encodeFiveTupleInto}, into new bytes of exactly the key's length. */
export function encodeFiveTuple(flow: Flow): Uint8Array {
  const bytes = new Uint8Array(MAX_FLOW_KEY_BYTES);
  return bytes.slice(0, encodeFiveTupleInto(flow, bytes));
}

/**
 * Writes the key of a client at the start of `bytes`: nftables' `ip saddr`.
 * @param bytes at least {@link MAX_FLOW_KEY_BYTES} long
 * @returns the length of the key, 4 or 16
 * @throws TypeError if the text is no address, RangeError for a short buffer
 */
export function encodeSourceInto(sourceAddress: string, bytes: Uint8Array): number {
  requireRoom(bytes);
  cursor.bytes = bytes;
  cursor.offset = 0;
  return encodeAddressInto(sourceAddress, cursor);
}

/** As {@link encodeSourceInto}, into new bytes of exactly the key's length. */
export function encodeSource(sourceAddress: string): Uint8Array {
  const bytes = new Uint8Array(MAX_FLOW_KEY_BYTES);
  return bytes.slice(0, encodeSourceInto(sourceAddress, bytes));
}
