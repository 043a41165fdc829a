import type { z } from "zod";

import * as field from "./fields.ts";
import type { CertificateId, LoadBalancerId, PoolId } from "./ids.ts";
import { commonSpec } from "./resource.ts";

/** What a listener speaks with clients; TLS and HTTPS terminate. */
export const listenerProtocols = ["TCP", "UDP", "TLS", "HTTP", "HTTPS"] as const;
/** Values of the API's `ListenerProtocol`. */
export type ListenerProtocol = (typeof listenerProtocols)[number];
/** Whether clients show a certificate. */
export const clientAuths = ["NONE", "OPTIONAL", "REQUIRED"] as const;
/** Values of the API's `ClientAuth`. */
export type ClientAuth = (typeof clientAuths)[number];
/** The lowest TLS version that a listener accepts. */
export const tlsVersions = ["TLS_1_2", "TLS_1_3"] as const;
/** Values of the API's `TlsVersion`. */
export type TlsVersion = (typeof tlsVersions)[number];
/** What happens to X-Forwarded-* and Forwarded that a client sent. */
export const forwardedHeaderModes = ["APPEND", "PRESERVE", "REMOVE"] as const;
/** Values of the API's `ForwardedHeaders`. */
export type ForwardedHeaders = (typeof forwardedHeaderModes)[number];
/** Whether ambiguous paths are refused while a listener has PATH rules. */
export const pathNormalizations = ["ON", "OFF"] as const;
/** Values of the API's `PathNormalization`. */
export type PathNormalization = (typeof pathNormalizations)[number];

/** Longest timeout: seven days. */
const MAX_TIMEOUT_MS = 604_800_000;
const timeoutMs = () => field.integer({ max: MAX_TIMEOUT_MS });
const alpnProtocol = () =>
  field.text({ max: 255, pattern: /^[\x21-\x7e]+$/, expected: "an ALPN protocol id such as h2" });

const accessLog = field.message({
  /** `OFF`, `JSON` or a format string. */
  format: field
    .text({ max: 4096, pattern: /^[^\r\n]+$/, expected: "OFF, JSON or a format string of one line" })
    .default("OFF"),
  /** File the lines go to; standard output when absent. */
  path: field
    .text({ max: 1024, pattern: /^(?!.*(^|\/)\.\.(\/|$))[^\r\n]+$/, expected: 'a path without ".."' })
    .optional(),
});

/** What `CreateListener` takes. Timeouts of 0 are off. */
export const listenerSpec = field.message({
  ...commonSpec,
  loadBalancerId: field.id<LoadBalancerId>(),
  protocol: field.choice("LISTENER_PROTOCOL", listenerProtocols),
  port: field.port(),
  defaultPoolId: field.id<PoolId>().optional(),
  certificateIds: field.uniqueList(field.id<CertificateId>(), { max: 32 }).default([]),
  clientAuth: field.choice("CLIENT_AUTH", clientAuths).default("NONE"),
  clientCaCertificateId: field.id<CertificateId>().optional(),
  tlsMinVersion: field.choice("TLS_VERSION", tlsVersions).default("TLS_1_2"),
  alpnProtocols: field.uniqueList(alpnProtocol(), { max: 16 }).default([]),
  connectionLimit: field.integer().default(0),
  clientIdleTimeoutMs: timeoutMs().optional(),
  backendConnectTimeoutMs: timeoutMs().default(5000),
  backendIdleTimeoutMs: timeoutMs().default(60_000),
  requestTimeoutMs: timeoutMs().default(0),
  requestHeaderTimeoutMs: timeoutMs().default(10_000),
  maxRequestHeaderBytes: field.integer({ min: 1024, max: 1_048_576 }).default(65_536),
  maxUriBytes: field.integer({ min: 64, max: 1_048_576 }).default(16_384),
  maxHeaderCount: field.integer({ min: 1, max: 10_000 }).default(128),
  maxRequestBodyBytes: field.integer({ max: Number.MAX_SAFE_INTEGER }).default(0),
  allowedCidrs: field.uniqueList(field.cidr(), { max: 1000 }).default([]),
  acceptProxyProtocol: field.flag().default(false),
  proxyProtocolTrustedCidrs: field.uniqueList(field.cidr(), { max: 1000 }).default([]),
  forwardedHeaders: field.choice("FORWARDED_HEADERS", forwardedHeaderModes).default("APPEND"),
  addRequestId: field.flag().default(true),
  hstsMaxAgeS: field.integer().default(0),
  pathNormalization: field.choice("PATH_NORMALIZATION", pathNormalizations).default("ON"),
  exposeReasonHeader: field.flag().default(false),
  accessLog: accessLog.prefault({}),
  newConnectionsPerSPerSource: field.integer().default(0),
  requestsPerSPerSource: field.integer().default(0),
});

/** A listener before the defaults that depend on other fields. */
export type ParsedListener = z.output<typeof listenerSpec>;
/** A listener as a client wants it, defaults filled. */
export type ListenerSpec = ParsedListener & { clientIdleTimeoutMs: number };
