import { z } from "zod";

import * as field from "./fields.ts";
import { parseStatusCodes } from "./http.ts";
import type { HealthCheckId, PoolId } from "./ids.ts";
import {
  commonSpec,
  defineResource,
  type EntityOf,
  recordFields,
  type Rules,
  tenantFields,
  type TenantRecord,
} from "./resource.ts";

/** How a backend is probed. */
export const healthCheckTypes = ["TCP", "HTTP", "HTTPS", "TLS_HELLO", "UDP", "GRPC"] as const;
/** Values of the API's `HealthCheckType`. */
export type HealthCheckType = (typeof healthCheckTypes)[number];
/** Methods that an HTTP probe can use. */
export const probeMethods = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE"] as const;

const httpProbe = field.message({
  method: field.choice("METHOD", probeMethods).default("GET"),
  path: field
    .text({ max: 2048, pattern: /^\/[\x21-\x7e]*$/, expected: 'a path that begins with "/", without spaces' })
    .default("/"),
  /** Host header; the backend's address and port when absent. */
  host: field
    .text({ max: 259, pattern: /^[A-Za-z0-9._:[\]-]+$/, expected: "a host name, with a port if need be" })
    .optional(),
  expectedCodes: field.parsedText("status codes such as 200-299", parseStatusCodes).default("200"),
});
/** What an HTTP probe asks for and expects. */
export type HttpProbe = z.output<typeof httpProbe>;

/** What `CreateHealthCheck` takes. */
export const healthCheckSpec = field.message({
  ...commonSpec,
  poolId: field.id<PoolId>(),
  type: field.choice("HEALTH_CHECK_TYPE", healthCheckTypes),
  intervalMs: field.integer({ min: 10, max: 3_600_000 }).default(5000),
  /** At most the interval; 2000, or the interval where that is shorter, when absent. */
  timeoutMs: field.integer({ min: 1, max: 3_600_000 }).optional(),
  /** Successes that bring a backend back. */
  rise: field.integer({ min: 1, max: 100 }).default(2),
  /** Failures that take a backend out. */
  fall: field.integer({ min: 1, max: 100 }).default(3),
  /** Only with HTTP and HTTPS. */
  http: httpProbe.optional(),
  /** Only with GRPC; the server as a whole when absent. */
  grpcService: field.text({ max: 255, pattern: /^[\x21-\x7e]+$/, expected: "a gRPC service name" }).optional(),
});

type Parsed = z.output<typeof healthCheckSpec>;
/** A health check as a client wants it, defaults filled. */
export type HealthCheckSpec = Parsed & { timeoutMs: number };
/** How a pool's backends are probed; one a pool. */
export type HealthCheck = EntityOf<HealthCheckSpec, TenantRecord<HealthCheckId>>;

const isHttp = (type: HealthCheckType): boolean => type === "HTTP" || type === "HTTPS";

/** Time to answer when none is said. */
const DEFAULT_TIMEOUT_MS = 2000;

const rules: Rules<Parsed> = ({ type, intervalMs, timeoutMs, http, grpcService }, report) => {
  if (intervalMs !== undefined && timeoutMs !== undefined && timeoutMs > intervalMs) {
    report("timeoutMs", `must be at most interval_ms (${intervalMs}), not ${timeoutMs}`);
  }
  if (type === undefined) return;
  if (http !== undefined && !isHttp(type)) report("http", `can only be used with type HTTP or HTTPS, not with ${type}`);
  if (grpcService !== undefined && type !== "GRPC") {
    report("grpcService", `can only be used with type GRPC, not with ${type}`);
  }
};

/** What the generic code knows of health checks. */
export const healthCheck = defineResource({
  label: "health check",
  spec: healthCheckSpec,
  stored: z.strictObject({ ...recordFields, ...tenantFields }),
  rules,
  resolve: (parsed): HealthCheckSpec => ({
    ...parsed,
    timeoutMs: parsed.timeoutMs ?? Math.min(DEFAULT_TIMEOUT_MS, parsed.intervalMs),
    ...(isHttp(parsed.type) && { http: parsed.http ?? httpProbe.parse({}) }),
  }),
  immutable: ["poolId", "type"],
});
