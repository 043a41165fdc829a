import type { AlpnProtocol } from "./transport.ts";

const encoded = new WeakMap<readonly AlpnProtocol[], Buffer>();

/** Protocols as the hello has them (RFC 7301 §3.1): each behind its length. Made once for each list. */
export function encodeAlpn(protocols: readonly AlpnProtocol[]): Buffer {
  let bytes = encoded.get(protocols);
  if (bytes === undefined) {
    bytes = Buffer.concat(protocols.map((name) => Buffer.from([name.length, ...Buffer.from(name)])));
    encoded.set(protocols, bytes);
  }
  return bytes;
}
