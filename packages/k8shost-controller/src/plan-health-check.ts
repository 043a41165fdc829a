import type { ActualPool } from "./actual.ts";
import { changed, updateOf } from "./changes.ts";
import { type HealthCheckFields, OWNED } from "./desired-fields.ts";
import { type Operation, PHASES, type Reference } from "./operations.ts";
import { MANAGED_BY, SERVICE_PORT, type Tags } from "./ownership.ts";

/** What hangs on one pool. */
export interface PoolContext {
  /** Absent: it is yet to be made. */
  readonly pool: ActualPool | undefined;
  readonly poolId: string | Reference;
  readonly tags: Tags;
  readonly owner: string;
}

/** The health check of a pool. One that people made stays as it is as long as the Service asks for none. */
export function planHealthCheck(
  wanted: HealthCheckFields | undefined,
  { pool, poolId, tags, owner }: PoolContext,
): readonly Operation[] {
  const actual = pool?.healthCheck;
  const common = { kind: "healthCheck", label: `health check of ${tags[SERVICE_PORT]}` } as const;
  const isOurs = actual?.tags[MANAGED_BY] === owner;
  const deletion: readonly Operation[] =
    actual === undefined || !isOurs
      ? []
      : [{ ...common, type: "delete", phase: PHASES.healthCheckDeletes, id: actual.id }];
  if (wanted === undefined) return deletion;
  const creation: Operation = {
    ...common,
    type: "create",
    phase: PHASES.healthChecks,
    fields: { poolId, tags, ...wanted },
  };
  if (actual === undefined || !isOurs) return [creation];
  if (actual.fields["type"] !== wanted.type) return [...deletion, creation];
  const fields = changed(wanted, actual.fields, OWNED.healthCheck);
  return updateOf({ ...common, phase: PHASES.healthChecks }, actual, fields);
}
