import { z } from "zod";

import * as field from "./fields.ts";
import type { PoolId } from "./ids.ts";
import { poolRules } from "./pool-rules.ts";
import {
  backendTls,
  DEFAULT_PERSISTENCE_COOKIE,
  maglev,
  MAX_MAGLEV_TABLE_SIZE,
  type MaglevSpec,
  poolSpec,
  type PoolSpec,
} from "./pool-spec.ts";
import { defineResource, type EntityOf, recordFields, tenantFields, type TenantRecord } from "./resource.ts";

export * from "./pool-spec.ts";

/** What the server adds to a pool. */
export interface PoolRecord extends TenantRecord<PoolId> {
  /** With the table size in use, which only grows; 0 until the first table is built. */
  readonly maglev: MaglevSpec & { readonly effectiveTableSize: number };
}
/** Backends that serve the same thing, and how one is chosen. */
export type Pool = EntityOf<PoolSpec, PoolRecord>;

/** LB_COOKIE gets its cookie's name; an HTTPS pool gets the TLS settings that it would have without any. */
function resolve(parsed: PoolSpec): PoolSpec {
  const { sessionPersistence: persistence, backendTls: tls } = parsed;
  return {
    ...parsed,
    ...(persistence?.type === "LB_COOKIE" && {
      sessionPersistence: { ...persistence, cookieName: persistence.cookieName ?? DEFAULT_PERSISTENCE_COOKIE },
    }),
    ...(parsed.protocol === "HTTPS" && tls === undefined && { backendTls: backendTls.parse({}) }),
  };
}

/** What the generic code knows of pools. */
export const pool = defineResource({
  label: "pool",
  spec: poolSpec,
  stored: z.strictObject({
    ...recordFields,
    ...tenantFields,
    maglev: maglev
      .extend({ effectiveTableSize: field.integer({ max: MAX_MAGLEV_TABLE_SIZE }).default(0) })
      .prefault({}),
  }),
  rules: poolRules,
  resolve,
  immutable: ["loadBalancerId", "protocol"],
  readOnly: [["maglev", "effectiveTableSize"]],
});
