import { connectionEach, fullHandshakes, keepAlive, type Load, multiplexed, resumedHandshakes } from "./loads.ts";

/** What is compared with FiberLB. */
export type Peer = "HAProxy" | "nginx" | "http-proxy";

/** A load under which balancers are compared. */
export interface L7Case {
  /** Part of the name of the page's section. */
  readonly group: "http1" | "https" | "http2";
  readonly name: string;
  readonly scheme: "http" | "https";
  readonly path: string;
  readonly load: Load;
  readonly peers: readonly Peer[];
  /** The most that FiberLB may cost, as a multiple of HAProxy; absent: for information. */
  readonly target?: number;
  /** Programs that must be installed. */
  readonly needs: readonly ("wrk" | "h2load" | "openssl")[];
}

const SMALL = "/";
const LARGE = "/64k";
const PEERS = ["HAProxy", "nginx"] as const;
const http1 = { group: "http1", scheme: "http", path: SMALL, peers: PEERS, needs: ["wrk"] } as const;
const https = { group: "https", scheme: "https", path: SMALL, peers: PEERS, needs: ["openssl", "wrk"] } as const;

/** In the order in which they are measured and shown. */
export const cases: readonly L7Case[] = [
  { ...http1, name: "keep-alive, 29 B", load: keepAlive, peers: [...PEERS, "http-proxy"], target: 1.25 },
  { ...http1, name: "keep-alive, 64 KiB", path: LARGE, load: keepAlive, target: 1.25 },
  { ...http1, name: "connection a request, 29 B", load: connectionEach, target: 1.8 },
  { ...https, name: "keep-alive, 29 B", load: keepAlive, target: 1.25 },
  { ...https, name: "keep-alive, 64 KiB", path: LARGE, load: keepAlive },
  { ...https, name: "full handshake a request", load: fullHandshakes, target: 1.25, needs: ["openssl"] },
  { ...https, name: "resumed handshake a request", load: resumedHandshakes, needs: ["openssl"] },
  {
    ...https,
    group: "http2",
    name: "16 × 16 streams, 29 B",
    load: multiplexed,
    target: 2.5,
    needs: ["openssl", "h2load"],
  },
];

/** FiberLB is to be so many times as fast as npm's http-proxy, keep-alive. */
export const HTTP_PROXY_TARGET = 4;
