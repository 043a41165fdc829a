import { type IpAddress, ipFamily, parseIp } from "@fiberlb/types";

import type { BfdSettings, BgpGlobal, PeerSettings } from "../gobgp/api.ts";
import { BGP_PORT } from "../gobgp/peer.ts";
import type { ManagedBgp, Peer, PeerBfd } from "../peer.ts";

/** A peer as wanted, but for the password, which may be in a file. */
export interface WantedPeer {
  readonly settings: Omit<PeerSettings, "password">;
  readonly password: { readonly text: string } | { readonly file: string };
}

/** What the daemon should be, checked and complete. */
export interface WantedBgp {
  readonly global: BgpGlobal;
  readonly peers: readonly WantedPeer[];
}

type Bounds = readonly [least: number, most: number];

const ASN: Bounds = [1, 0xffff_ffff];
const PORT: Bounds = [1, 0xffff];
const SECONDS: Bounds = [1, 0xffff];
/** 0 would switch keepalives off; 1 and 2 are forbidden (RFC 4271 section 4.2). */
const HOLD_TIME: Bounds = [3, 0xffff];
const MULTIHOP_TTL: Bounds = [2, 255];
/** Twelve bits of the capability (RFC 4724 section 3). */
const RESTART_TIME: Bounds = [1, 4095];
const BFD_INTERVAL_MS: Bounds = [10, 60_000];
const BFD_MULTIPLIER: Bounds = [2, 255];
/** Linux's TCP_MD5SIG_MAXKEYLEN. */
const MAX_PASSWORD_BYTES = 80;

/**
 * Reads what the daemon should be, strictly: it accepts an ASN of 0 in silence, and stays unstarted.
 * @throws TypeError that names the setting
 */
export function checkManaged({ asn, routerId, listenPort, listenAddresses = [], peers }: ManagedBgp): WantedBgp {
  const global = {
    asn: whole("manage.asn", asn, ASN),
    routerId: checkRouterId(routerId),
    listenPort: whole("manage.listenPort", listenPort ?? BGP_PORT, [-1, 0xffff]) || BGP_PORT,
    listenAddresses: listenAddresses.map((one) => address("manage.listenAddresses", one)),
  };
  const wanted = new Map<string, WantedPeer>();
  for (const peer of peers) {
    const one = checkPeer(peer, asn);
    if (wanted.has(one.settings.address)) throw new TypeError(`manage.peers has ${one.settings.address} twice`);
    if (one.settings.passive && global.listenPort === -1) {
      throw new TypeError(`peer ${one.settings.address} is passive, but manage.listenPort is -1: nobody could connect`);
    }
    wanted.set(one.settings.address, one);
  }
  return { global, peers: [...wanted.values()] };
}

function checkRouterId(text: string): string {
  const parsed = parseIp(text);
  if (parsed.ok && ipFamily(parsed.value) === "IPV4" && text !== "0.0.0.0") return text;
  throw new TypeError(`manage.routerId must be an IPv4 address other than 0.0.0.0, not ${JSON.stringify(text)}`);
}

function checkPeer(peer: Peer, ownAsn: number): WantedPeer {
  const name = `peer ${peer.address}:`;
  const holdTimeS = whole(`${name} holdTimeS`, peer.holdTimeS ?? 9, HOLD_TIME);
  if (peer.multihopTtl !== undefined && peer.asn === ownAsn) {
    throw new TypeError(`${name} multihopTtl is for routers of another AS; inside one, any distance is allowed`);
  }
  return {
    settings: {
      address: address("manage.peers: address", peer.address),
      asn: whole(`${name} asn`, peer.asn, ASN),
      port: whole(`${name} port`, peer.port ?? BGP_PORT, PORT),
      holdTimeS,
      keepaliveS: whole(`${name} keepaliveS`, peer.keepaliveS ?? Math.floor(holdTimeS / 3), [1, holdTimeS - 1]),
      connectRetryS: whole(`${name} connectRetryS`, peer.connectRetryS ?? 5, SECONDS),
      multihopTtl: peer.multihopTtl === undefined ? 0 : whole(`${name} multihopTtl`, peer.multihopTtl, MULTIHOP_TTL),
      localAddress: peer.localAddress === undefined ? "" : address(`${name} localAddress`, peer.localAddress),
      passive: peer.passive ?? false,
      ...(peer.bfd !== undefined && { bfd: checkBfd(name, peer.bfd) }),
      restartTimeS:
        peer.gracefulRestart === undefined
          ? 0
          : whole(`${name} gracefulRestart.restartTimeS`, peer.gracefulRestart.restartTimeS, RESTART_TIME),
    },
    password: checkPassword(name, peer),
  };
}

const checkBfd = (name: string, { intervalMs = 100, multiplier = 3 }: PeerBfd): BfdSettings => ({
  intervalUs: whole(`${name} bfd.intervalMs`, intervalMs, BFD_INTERVAL_MS) * 1000,
  multiplier: whole(`${name} bfd.multiplier`, multiplier, BFD_MULTIPLIER),
});

function checkPassword(name: string, { password, passwordFile }: Peer): WantedPeer["password"] {
  if (password !== undefined && passwordFile !== undefined) {
    throw new TypeError(`${name} give password or passwordFile, not both`);
  }
  if (passwordFile !== undefined) return { file: passwordFile };
  const why = password === undefined ? undefined : badPassword(password);
  if (why !== undefined) throw new TypeError(`${name} the password ${why}`);
  return { text: password ?? "" };
}

/** What is wrong with a password, as a clause that does not show it; undefined when nothing is. */
export function badPassword(password: string): string | undefined {
  const bytes = Buffer.byteLength(password);
  if (bytes === 0) return "is empty";
  return bytes > MAX_PASSWORD_BYTES ? `has ${bytes} bytes: TCP MD5 takes up to ${MAX_PASSWORD_BYTES}` : undefined;
}

function whole(name: string, value: number, [least, most]: Bounds): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new TypeError(`${name} must be a whole number from ${least} to ${most}, not ${value}`);
}

function address(name: string, text: string): IpAddress {
  const parsed = parseIp(text);
  if (parsed.ok) return parsed.value;
  throw new TypeError(`${name} ${parsed.error}`);
}
