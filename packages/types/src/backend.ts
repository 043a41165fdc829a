import { z } from "zod";

import * as field from "./fields.ts";
import type { BackendId, PoolId } from "./ids.ts";
import {
  commonSpec,
  defineResource,
  type EntityOf,
  recordFields,
  tenantFields,
  type TenantRecord,
} from "./resource.ts";

/** What `CreateBackend` takes. */
export const backendSpec = field.message({
  ...commonSpec,
  poolId: field.id<PoolId>(),
  /** IP address or DNS name. */
  address: field.host(),
  port: field.port(),
  /** 0 drains. */
  weight: field.integer({ max: 256 }).default(1),
  /** Gets traffic only when no other backend can. */
  backup: field.flag().default(false),
  /** 0 = no limit. */
  maxConnections: field.integer().default(0),
  /** Probed instead of address. */
  monitorAddress: field.host().optional(),
  /** Probed instead of port. */
  monitorPort: field.integer({ max: 65_535 }).default(0),
  /** A registered backend leaves when not renewed for so long; 0 = never. */
  ttlS: field.integer({ max: 86_400 }).default(0),
  metadata: field.labels({ maxValue: 1024 }).default({}),
});

/** A backend as a client wants it, defaults filled. */
export type BackendSpec = z.output<typeof backendSpec>;
/** What the server adds to a backend. */
export interface BackendRecord extends TenantRecord<BackendId> {
  /** Since when it leaves (deregistered or expired): no new traffic, gone when drained; stored only. */
  readonly drainingSince?: string | undefined;
}
/** One server of a pool. */
export type Backend = EntityOf<BackendSpec, BackendRecord>;

/** `ttl_s` of a `RegisterBackend` that names none. */
export const DEFAULT_REGISTRATION_TTL_S = 15;

/** What the generic code knows of backends. */
export const backend = defineResource({
  label: "backend",
  spec: backendSpec,
  stored: z.strictObject({ ...recordFields, ...tenantFields, drainingSince: field.timestamp().optional() }),
  rules: () => {},
  resolve: (parsed): BackendSpec => parsed,
  immutable: ["poolId", "address", "port"],
});
