import { CLOSING_BRACKET, COLON, DOT, HEX_VALUE, HOST_NAME, isDigit, OPENING_BRACKET } from "./http1-bytes.ts";

const MAX_PORT = 65_535;
const INVALID = -1;

/**
 * Checks that the bytes are `host[:port]`: a name or address of unreserved characters, or an IPv6 address in brackets.
 * Stricter than RFC 3986 §3.2.2, where escapes and `,` may stand too; nothing but attacks sends them.
 * @returns the offset after the host (of the colon when there is a port), -1 when it is anything else.
 */
export function hostEnd(bytes: Uint8Array, start: number, end: number): number {
  const after = bytes[start] === OPENING_BRACKET ? ipv6End(bytes, start, end) : nameEnd(bytes, start, end);
  if (after === INVALID || after === end) return after;
  return portOf(bytes, after, end) > 0 ? after : INVALID;
}

function nameEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && HOST_NAME[bytes[at] as number] === 1) at++;
  return at === start ? INVALID : at;
}

function ipv6End(bytes: Uint8Array, start: number, end: number): number {
  let at = start + 1;
  let colons = 0;
  while (at < end && bytes[at] !== CLOSING_BRACKET) {
    const byte = bytes[at] as number;
    if (byte === COLON) colons++;
    else if (byte !== DOT && HEX_VALUE[byte] === 255) return INVALID;
    at++;
  }
  return at < end && colons >= 2 ? at + 1 : INVALID;
}

/**
 * The port after a host that {@link hostEnd} found.
 * @param colon offset after the host.
 * @returns 1 to 65535; 0 when there is none, or one that is no port.
 */
export function portOf(bytes: Uint8Array, colon: number, end: number): number {
  const length = end - colon - 1;
  if (bytes[colon] !== COLON || length < 1 || length > 5) return 0;
  let port = 0;
  for (let at = colon + 1; at < end; at++) {
    const byte = bytes[at] as number;
    if (!isDigit(byte)) return 0;
    port = port * 10 + (byte & 0x0f);
  }
  return port <= MAX_PORT ? port : 0;
}
