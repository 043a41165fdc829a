import { absent, type Op, put, unchanged } from "@fiberlb/store";
import { applyUpdate, encodeEntity, type Entities, invalid, labelOf, specOf } from "@fiberlb/types";

import { ancestorsOf, referenceClaims, referenceReleases, unitTouch } from "./attachments.ts";
import type { Written } from "./create.ts";
import type { Stored } from "./entity-reader.ts";
import { deletingKey, entityKey, type Tenant, type TenantKind } from "./keys.ts";
import { claim, release, uniquesOf } from "./kinds.ts";
import { beingDeleted, nameOf, staleRevision } from "./refusals.ts";
import { type Condition, type Plan, transact } from "./transaction.ts";
import type { WriteContext } from "./write-context.ts";

export interface UpdateRequest<K extends TenantKind> {
  readonly tenant: Tenant;
  readonly kind: K;
  readonly id: string;
  /** The revision that the client saw; absent: whatever it is. */
  readonly revision?: number | undefined;
  readonly patch: unknown;
  /** Paths of the fields to take from the patch. */
  readonly mask: readonly string[];
  readonly validateOnly: boolean;
  /** Rules between this and other entities; throws the refusal. */
  readonly check?: (after: Stored<K>) => Promise<void>;
}

/** Changes the fields of the mask. A change that changes nothing is not written. */
export async function updateOne<K extends TenantKind>(
  context: WriteContext,
  request: UpdateRequest<K>,
): Promise<Written<K>> {
  const { kind, id, validateOnly } = request;
  const options = { what: `${labelOf(kind)} ${id}`, validateOnly };
  const { result, txn } = await transact(context.store, () => planUpdate(context, request), options);
  const changed = result.changed && !validateOnly;
  return { stored: changed ? { ...result.stored, modRevision: txn.revision } : result.stored, changed };
}

async function planUpdate<K extends TenantKind>(
  context: WriteContext,
  request: UpdateRequest<K>,
): Promise<Plan<Written<K>>> {
  const { tenant, kind, id, revision, validateOnly } = request;
  const before = await context.reader.require(tenant, kind, id);
  const what = nameOf(kind, before.entity);
  const current = before.entity.revision;
  if (revision !== undefined && revision !== current) throw staleRevision(what, { sent: revision, current });
  const updated = applyUpdate(kind, before.entity, request.patch, request.mask);
  if (!updated.ok) throw invalid(updated.violations);
  if (sameSpec(kind, before.entity, updated.value)) return unwritten(before);
  const extension = await context.hooks[kind].update?.({ before, after: updated.value, validateOnly });
  const after = revised(before, extension?.entity ?? updated.value, context);
  await request.check?.(after);
  const write = writeOf(before, after);
  return {
    conditions: [
      { compare: unchanged(entityKey(tenant, before.location), before.modRevision) },
      ...staysConditions(before, what),
      ...write.conditions,
      ...(extension?.conditions ?? []),
    ],
    ops: [...write.ops, ...unitTouch(tenant, before.location, context.clock), ...(extension?.ops ?? [])],
    result: { stored: after, changed: true },
  };
}

const sameSpec = <K extends TenantKind>(kind: K, before: Entities[K], after: Entities[K]): boolean =>
  JSON.stringify(specOf(kind, before)) === JSON.stringify(specOf(kind, after));

const unwritten = <K extends TenantKind>(stored: Stored<K>): Plan<Written<K>> => ({
  conditions: [],
  ops: [],
  result: { stored, changed: false },
});

/** Times never go back, also when the clock does. */
function revised<K extends TenantKind>(before: Stored<K>, entity: Entities[K], { clock }: WriteContext): Stored<K> {
  const now = new Date(clock.epochMs()).toISOString();
  const updatedAt = now > before.entity.updatedAt ? now : before.entity.updatedAt;
  return { ...before, entity: { ...entity, revision: before.entity.revision + 1, updatedAt } };
}

function staysConditions({ tenant, location }: Stored, what: string): Condition[] {
  return ancestorsOf(location).map((ancestor) => ({
    compare: absent(deletingKey(tenant, ancestor)),
    otherwise: beingDeleted(what),
  }));
}

function writeOf<K extends TenantKind>(before: Stored<K>, after: Stored<K>): { conditions: Condition[]; ops: Op[] } {
  const { tenant, location } = before;
  const kind = location.kind as K;
  const old = uniquesOf(kind, before.entity, before);
  const next = uniquesOf(kind, after.entity, after);
  const isIn = (list: readonly { key: string }[]) => (unique: { key: string }) =>
    list.some(({ key }) => key === unique.key);
  const claims = claim(
    next.filter((unique) => !isIn(old)(unique)),
    location.id,
  );
  const references = referenceClaims(after, before);
  return {
    conditions: [...references.conditions, ...claims.conditions],
    ops: [
      put(entityKey(tenant, location), encodeEntity(kind, after.entity)),
      ...release(old.filter((unique) => !isIn(next)(unique))),
      ...claims.ops,
      ...references.ops,
      ...referenceReleases(before, after),
    ],
  };
}
