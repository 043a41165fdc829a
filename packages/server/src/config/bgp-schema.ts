import { parseIp, routeSettings } from "@fiberlb/types";
import { z } from "zod";

const MAX_UINT32 = 4_294_967_295;
const MAX_UINT16 = 65_535;

const ip = (what: string) =>
  z.string().refine((text) => parseIp(text).ok, {
    error: ({ input }) => `"${String(input)}" is no IP address; write ${what}`,
  });

const ipv4 = (what: string) =>
  z.string().refine((text) => parseIp(text).ok && !text.includes(":"), {
    error: ({ input }) => `"${String(input)}" is no IPv4 address; write ${what}`,
  });

const asn = () => z.int().min(1).max(MAX_UINT32);

/** `unix:///path`, or `http://` or `https://` with host and port. */
const GOBGP_ADDRESS = /^(?:unix:\/\/\/.+|https?:\/\/(?:\[[0-9a-fA-F:.]+\]|[^\s/:]+):\d{1,5}\/?)$/;

const bfd = z.strictObject({
  intervalMs: z.int().min(10).max(60_000).default(100).meta({ description: "Between two control packets" }),
  multiplier: z.int().min(2).max(255).default(3).meta({ description: "Missing packets after which the path is down" }),
});

const peer = z.strictObject({
  address: ip("the router's, for example 10.0.0.254").meta({ description: "The router's address" }),
  asn: asn().meta({ description: "The router's autonomous system; the own one makes it iBGP" }),
  port: z.int().min(1).max(MAX_UINT16).optional().meta({ description: "The router's port; 179 when absent" }),
  passwordFile: z.string().min(1).optional().meta({
    description: "File with the password (TCP MD5, RFC 2385); read again when it changes",
  }),
  holdTimeS: z.int().min(3).max(MAX_UINT16).optional().meta({
    description: "Silence after which the session is dead; 9 when absent, the lower one of both sides holds",
  }),
  keepaliveS: z.int().min(1).max(MAX_UINT16).optional().meta({ description: "A third of holdTimeS when absent" }),
  connectRetryS: z.int().min(1).max(MAX_UINT16).optional().meta({ description: "Between attempts; 5 when absent" }),
  multihopTtl: z.int().min(2).max(255).optional().meta({
    description: "For an eBGP router that is not a neighbour; absent: it must be one",
  }),
  localAddress: ip("one of this host").optional().meta({ description: "Address to connect from" }),
  passive: z.boolean().optional().meta({ description: "Wait for the router to connect" }),
  bfd: bfd.optional().meta({ description: "Off when absent; needs GoBGP 4.5 or newer" }),
  gracefulRestart: z
    .strictObject({ restartTimeS: z.int().min(1).max(4095) })
    .optional()
    .meta({ description: "Off when absent, so that routes of a dead node go at once" }),
});

const tls = z.strictObject({
  ca: z.string().min(1).optional().meta({ description: "PEM file; the system's authorities when absent" }),
  cert: z.string().min(1).optional().meta({ description: "PEM file with the certificate that we show" }),
  key: z.string().min(1).optional().meta({ description: "PEM file with its private key" }),
});

/** The section `bgp`; absent: VIPs are not announced by BGP. */
export const bgpSchema = z.strictObject({
  gobgp: z
    .string()
    .regex(GOBGP_ADDRESS, {
      error: ({ input }) =>
        `"${String(input)}" is no address of GoBGP's API; write unix:///run/gobgp.sock or http://127.0.0.1:50051`,
    })
    .default("unix:///run/gobgp.sock")
    .meta({ description: "Where GoBGP's API is: unix:///path, http://host:port or https://host:port" }),
  tls: tls.optional().meta({ description: "For a daemon behind https" }),
  manage: z.boolean().default(true).meta({
    description: "true: FiberLB starts BGP in the daemon and keeps its peers. false: only routes are added to it",
  }),
  asn: asn().optional().meta({ description: "Own autonomous system; needed with manage" }),
  routerId: ipv4("one that is unique among the routers")
    .optional()
    .meta({ description: "An IPv4 address, unique among the routers; needed with manage" }),
  listenPort: z.int().min(-1).max(MAX_UINT16).optional().meta({
    description: "Port for routers that connect to us, 179 when absent; -1: none",
  }),
  listenAddresses: z.array(ip("one of this host")).optional().meta({ description: "All addresses when absent" }),
  peers: z.array(peer).default([]).meta({
    description:
      "Routers: address, asn, port, passwordFile, holdTimeS, keepaliveS, connectRetryS, multihopTtl, localAddress, passive, bfd {intervalMs, multiplier}, gracefulRestart {restartTimeS}",
  }),
  nextHop: routeSettings.nextHop.default("self").meta({
    description: "Where routers send packets for IPv4 VIPs. self: this host's address towards the first router",
  }),
  nextHopV6: routeSettings.nextHopV6.default("self").meta({ description: "The same for IPv6 VIPs" }),
  communities: routeSettings.communities.meta({ description: "RFC 1997, as asn:value" }),
  largeCommunities: routeSettings.largeCommunities.meta({ description: "RFC 8092, as global:local1:local2" }),
  localPref: routeSettings.localPref.meta({ description: "LOCAL_PREF; only iBGP peers see it" }),
  med: routeSettings.med.meta({ description: "MULTI_EXIT_DISC" }),
  aggregateV4: z.int().min(8).max(32).default(32).meta({
    description: "Length of the prefix that is announced while any VIP inside is",
  }),
  aggregateV6: z.int().min(16).max(128).default(128).meta({ description: "The same for IPv6" }),
  whenAllDown: z.enum(["announce", "withdraw"]).default("announce").meta({
    description:
      "A VIP that no node can serve. announce: the nodes that could last go on, so that clients get 503 or a reset",
  }),
  orphanTimeoutMs: z.int().min(0).max(3_600_000).default(30_000).meta({
    description: "How long VIPs that the kernel alone forwards stay announced when this process was killed",
  }),
});

/** The node's BGP settings, effective values. */
export type BgpConfig = z.infer<typeof bgpSchema>;

/** What the keys of the section allow but not together. */
export function bgpProblems(bgp: BgpConfig | undefined): string[] {
  if (bgp === undefined) return [];
  const problems: string[] = [];
  if (bgp.manage) {
    for (const key of ["asn", "routerId"] as const)
      if (bgp[key] === undefined) problems.push(`bgp.${key}: is needed, unless bgp.manage is false`);
    if (bgp.peers.length === 0) problems.push("bgp.peers: name at least one router, or set bgp.manage: false");
  } else if (bgp.peers.length > 0) {
    problems.push(
      "bgp.peers: the daemon's own configuration names its peers while bgp.manage is false; leave them out",
    );
  }
  const seen = new Set<string>();
  bgp.peers.forEach(({ address }, index) => {
    if (seen.has(address)) problems.push(`bgp.peers.${index}.address: ${address} is there twice`);
    seen.add(address);
  });
  if (bgp.tls !== undefined && !bgp.gobgp.startsWith("https://"))
    problems.push("bgp.tls: is for a daemon behind https://, see bgp.gobgp");
  if ((bgp.tls?.cert === undefined) !== (bgp.tls?.key === undefined))
    problems.push("bgp.tls: cert and key go together");
  return problems;
}
