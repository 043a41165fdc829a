import type { z } from "zod";

import * as field from "./fields.ts";
import { HTTP_TOKEN } from "./http.ts";
import type { CertificateId, LoadBalancerId } from "./ids.ts";
import { commonSpec } from "./resource.ts";

/** What a pool's backends speak. */
export const poolProtocols = ["TCP", "UDP", "HTTP", "HTTPS", "H2C"] as const;
/** Values of the API's `PoolProtocol`. */
export type PoolProtocol = (typeof poolProtocols)[number];
/** How a pool chooses a backend; RANDOM draws two and takes the less loaded. */
export const poolAlgorithms = [
  "ROUND_ROBIN",
  "LEAST_CONNECTIONS",
  "IP_HASH",
  "WEIGHTED_ROUND_ROBIN",
  "RANDOM",
  "MAGLEV",
] as const;
/** Values of the API's `PoolAlgorithm`. */
export type PoolAlgorithm = (typeof poolAlgorithms)[number];
/** What keeps a client with one backend. */
export const sessionPersistenceTypes = ["SOURCE_IP", "LB_COOKIE", "APP_COOKIE"] as const;
/** Values of the API's `SessionPersistenceType`. */
export type SessionPersistenceType = (typeof sessionPersistenceTypes)[number];
/** Which PROXY protocol header backends get. */
export const proxyProtocolVersions = ["NONE", "V1", "V2"] as const;
/** Values of the API's `ProxyProtocolVersion`. */
export type ProxyProtocolVersion = (typeof proxyProtocolVersions)[number];
/** What Maglev hashes. */
export const maglevHashKeys = ["FIVE_TUPLE", "SOURCE_IP", "HEADER", "COOKIE"] as const;
/** Values of the API's `MaglevHashKey`. */
export type MaglevHashKey = (typeof maglevHashKeys)[number];
/** How packets reach the backends; NAT and DSR need the kernel driver. */
export const poolForwardings = ["NAT_MASQUERADE", "NAT", "DSR"] as const;
/** Values of the API's `PoolForwarding`. */
export type PoolForwarding = (typeof poolForwardings)[number];
/** What happens to the connections of a backend that is found down. */
export const onBackendDownActions = ["RESET", "KEEP"] as const;
/** Values of the API's `OnBackendDown`. */
export type OnBackendDown = (typeof onBackendDownActions)[number];

/** Largest Maglev table, as in Envoy: a prime, 20 MB of 32-bit slots. */
export const MAX_MAGLEV_TABLE_SIZE = 5_000_011;
/** Cookie of LB_COOKIE persistence when none is named. */
export const DEFAULT_PERSISTENCE_COOKIE = "FIBERLB";

const cookieName = () => field.text({ max: 128, pattern: HTTP_TOKEN, expected: "a cookie name (RFC 6265 token)" });

const sessionPersistence = field.message({
  type: field.choice("SESSION_PERSISTENCE_TYPE", sessionPersistenceTypes),
  cookieName: cookieName().optional(),
  /** How long the cookie lives; 0 = as long as the client keeps it. Without effect for SOURCE_IP, which keeps no state. */
  timeoutS: field.integer({ max: 604_800 }).default(0),
});
/** How a pool keeps a client with one backend. */
export type SessionPersistence = z.output<typeof sessionPersistence>;

/** How a pool speaks TLS with its backends; verifies them unless told otherwise. */
export const backendTls = field.message({
  caCertificateId: field.id<CertificateId>().optional(),
  serverName: field.host().optional(),
  clientCertificateId: field.id<CertificateId>().optional(),
  skipVerify: field.flag().default(false),
  alpnProtocols: field
    .uniqueList(field.choice("ALPN_PROTOCOL", ["h2", "http/1.1"]), { max: 2 })
    .transform((ids) => (ids.length > 0 ? ids : ["http/1.1" as const]))
    .default(["http/1.1"]),
});
/** How a pool speaks TLS with its backends. */
export type BackendTls = z.output<typeof backendTls>;

/** A pool's wishes for its Maglev table. */
export const maglev = field.message({
  /** A prime; 0 = chosen by the number of backends. */
  tableSize: field.integer({ max: MAX_MAGLEV_TABLE_SIZE }).default(0),
  hashKey: field.choice("MAGLEV_HASH_KEY", maglevHashKeys).default("FIVE_TUPLE"),
  /** Header or cookie that is hashed with HEADER and COOKIE. */
  hashKeyName: field
    .text({ max: 128, pattern: HTTP_TOKEN, expected: "a header or cookie name (RFC 9110 token)" })
    .optional(),
});
/** What a client says of a pool's Maglev table. */
export type MaglevSpec = z.output<typeof maglev>;

const outlierDetection = field.message({
  consecutiveErrors: field.integer({ min: 1, max: 1000 }).default(5),
  ejectionS: field.integer({ min: 1, max: 86_400 }).default(30),
  maxEjectedPercent: field.integer({ max: 100 }).default(10),
});
/** When a backend that fails real traffic is left out for a while. */
export type OutlierDetection = z.output<typeof outlierDetection>;

/** What `CreatePool` takes. */
export const poolSpec = field.message({
  ...commonSpec,
  loadBalancerId: field.id<LoadBalancerId>(),
  protocol: field.choice("POOL_PROTOCOL", poolProtocols).default("TCP"),
  algorithm: field.choice("POOL_ALGORITHM", poolAlgorithms).default("ROUND_ROBIN"),
  sessionPersistence: sessionPersistence.optional(),
  sendProxyProtocol: field.choice("PROXY_PROTOCOL_VERSION", proxyProtocolVersions).default("NONE"),
  backendTls: backendTls.optional(),
  drainTimeoutS: field.integer({ max: 86_400 }).default(30),
  slowStartS: field.integer({ max: 3600 }).default(0),
  panicThresholdPercent: field.integer({ max: 100 }).default(0),
  maglev: maglev.prefault({}),
  forwarding: field.choice("POOL_FORWARDING", poolForwardings).default("NAT_MASQUERADE"),
  onBackendDown: field.choice("ON_BACKEND_DOWN", onBackendDownActions).default("RESET"),
  outlierDetection: outlierDetection.optional(),
  queueTimeoutMs: field.integer({ max: 600_000 }).default(0),
});

/** A pool as a client wants it, defaults filled. */
export type PoolSpec = z.output<typeof poolSpec>;
