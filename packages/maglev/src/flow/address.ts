/** Bytes of an IPv4 and an IPv6 address. */
export const IPV4_BYTES = 4;
/** Bytes of an IPv6 address. */
export const IPV6_BYTES = 16;

const DOT = 0x2e;
const COLON = 0x3a;
const PERCENT = 0x25;

/** Where in which buffer to write. */
export interface Destination {
  readonly bytes: Uint8Array;
  readonly offset: number;
}

/** Value of a hexadecimal digit by its character code, -1 for another character. */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** Parses dotted decimal from `start` to `end`; false unless it is exactly four numbers 0–255 without leading zeros. */
function parseIpv4(text: string, [start, end]: readonly [number, number], to: Destination): boolean {
  let [value, digits, written] = [0, 0, 0];
  for (let i = start; i <= end; i++) {
    const code = i < end ? text.charCodeAt(i) : DOT;
    if (code === DOT) {
      if (digits === 0 || written === IPV4_BYTES) return false;
      to.bytes[to.offset + written++] = value;
      [value, digits] = [0, 0];
      continue;
    }
    if (code < 0x30 || code > 0x39 || (digits > 0 && value === 0)) return false;
    value = value * 10 + code - 0x30;
    digits++;
    if (value > 255) return false;
  }
  return written === IPV4_BYTES;
}

/** Moves what follows the `::` to the end and zeroes the gap. */
function closeGap({ bytes, offset }: Destination, gap: number, written: number): void {
  const tail = written - gap;
  bytes.copyWithin(offset + IPV6_BYTES - tail, offset + gap, offset + written);
  bytes.fill(0, offset + gap, offset + IPV6_BYTES - tail);
}

/** Where the run of hexadecimal digits that begins at `start` ends. */
function endOfDigits(text: string, start: number, end: number): number {
  let i = start;
  while (i < end && hexDigit(text.charCodeAt(i)) >= 0) i++;
  return i;
}

/** Writes the group of one to four digits from `start` to `end`. */
function writeGroup(text: string, [start, end]: readonly [number, number], to: Destination): void {
  let value = 0;
  for (let i = start; i < end; i++) value = value * 16 + hexDigit(text.charCodeAt(i));
  to.bytes[to.offset] = value >> 8;
  to.bytes[to.offset + 1] = value & 0xff;
}

/** Parses the groups of an IPv6 address (RFC 4291 §2.2) up to `end`. */
function parseIpv6(text: string, end: number, to: Destination): boolean {
  let [written, gap] = [0, -1];
  // A leading "::" is read as the separator of an empty group, then the gap.
  let i = text.charCodeAt(0) === COLON ? 1 : 0;
  if (i === 1 && text.charCodeAt(1) !== COLON) return false;
  while (i < end) {
    if (text.charCodeAt(i) === COLON) {
      if (gap >= 0) return false;
      gap = written;
      i++;
      continue;
    }
    const stop = endOfDigits(text, i, end);
    const at = { bytes: to.bytes, offset: to.offset + written };
    if (text.charCodeAt(stop) === DOT) {
      if (written > IPV6_BYTES - IPV4_BYTES || !parseIpv4(text, [i, end], at)) return false;
      written += IPV4_BYTES;
      break;
    }
    if (written === IPV6_BYTES || stop === i || stop - i > 4) return false;
    writeGroup(text, [i, stop], at);
    written += 2;
    if (stop < end && (text.charCodeAt(stop) !== COLON || stop + 1 === end)) return false;
    i = stop + 1;
  }
  if (gap < 0) return written === IPV6_BYTES;
  if (written === IPV6_BYTES) return false;
  closeGap(to, gap, written);
  return true;
}

/** Whether the 16 bytes are `::ffff:a.b.c.d`: on the wire, and to the kernel's rules, that is IPv4. */
function isMappedIpv4({ bytes, offset }: Destination): boolean {
  for (let i = 0; i < 10; i++) if (bytes[offset + i] !== 0) return false;
  return bytes[offset + 10] === 0xff && bytes[offset + 11] === 0xff;
}

function refuse(text: string): never {
  throw new TypeError(`Cannot encode "${text}": it is no IPv4 or IPv6 address`);
}

/**
 * Writes an address in network byte order. An IPv4-mapped IPv6 address, which dual-stack sockets report, is written
 * as the IPv4 address that the packets carry; a zone (`%eth0`) is left out.
 *
 * @param text dotted decimal, or IPv6 in any form of RFC 4291
 * @param to where; 16 bytes must be free there, whatever the family
 * @returns the bytes written: 4 or 16
 * @throws TypeError if the text is no address
 */
export function encodeAddressInto(text: string, to: Destination): number {
  if (!text.includes(":")) {
    return parseIpv4(text, [0, text.length], to) ? IPV4_BYTES : refuse(text);
  }
  let end = text.length;
  for (let i = 0; i < text.length && end === text.length; i++) if (text.charCodeAt(i) === PERCENT) end = i;
  if (end < 2 || !parseIpv6(text, end, to)) refuse(text);
  if (!isMappedIpv4(to)) return IPV6_BYTES;
  to.bytes.copyWithin(to.offset, to.offset + 12, to.offset + 16);
  return IPV4_BYTES;
}

/** As {@link encodeAddressInto}, into new bytes. */
export function encodeAddress(text: string): Uint8Array {
  const bytes = new Uint8Array(IPV6_BYTES);
  return bytes.slice(0, encodeAddressInto(text, { bytes, offset: 0 }));
}
