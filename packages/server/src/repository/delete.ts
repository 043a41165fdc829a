import { absent, type Op, prefixRange, put, remove, type Store, unchanged } from "@fiberlb/store";
import { encodeEntity, failedPrecondition, labelOf } from "@fiberlb/types";

import { type Referrer, referenceReleases, unitTouch } from "./attachments.ts";
import { decodeJson, encodeJson } from "./codec.ts";
import type { Stored } from "./entity-reader.ts";
import {
  childrenPrefix,
  deletingKey,
  entityKey,
  idKey,
  type Location,
  referencesPrefix,
  type Tenant,
  type TenantKind,
  touchKey,
  type TreeKind,
  unitKey,
} from "./keys.ts";
import { release, uniquesOf } from "./kinds.ts";
import { nameOf } from "./refusals.ts";
import { type Condition, type Plan, transact } from "./transaction.ts";
import type { WriteContext } from "./write-context.ts";

export interface DeleteRequest {
  readonly tenant: Tenant;
  readonly kind: TenantKind;
  readonly id: string;
  /** Deletes what is below it, too. */
  readonly cascade: boolean;
  readonly validateOnly: boolean;
}

/** What stands directly below each kind. */
export const CHILD_KINDS: { readonly [K in TenantKind]: readonly TreeKind[] } = {
  loadBalancer: ["listener", "pool"],
  listener: ["l7Policy"],
  pool: ["backend", "healthCheck"],
  l7Policy: ["l7Rule"],
  backend: [],
  healthCheck: [],
  l7Rule: [],
  certificate: [],
};

/** A cascade that runs, to be resumed after a crash. */
export interface CascadeRecord {
  readonly tenant: Tenant;
  readonly location: Location;
}

/** What a first step of a deletion came to. */
export interface DeletionStart {
  readonly stored: Stored;
  /** It had children: it is marked, and the cascade has to run. */
  readonly marked: boolean;
}

/**
 * Deletes an entity that has nothing below it, or marks it for a cascade: from then on nothing can be created or changed
 * below it.
 *
 * @throws DomainError `failed-precondition` when it is protected, used, or has children and no `cascade`.
 */
export async function startDeletion(context: WriteContext, request: DeleteRequest): Promise<DeletionStart> {
  const { kind, id, validateOnly } = request;
  const options = { what: `${labelOf(kind)} ${id}`, validateOnly };
  const { result } = await transact(context.store, () => planDeletion(context, request), options);
  return result;
}

async function planDeletion(context: WriteContext, request: DeleteRequest): Promise<Plan<DeletionStart>> {
  const { tenant, kind, id, cascade } = request;
  const stored = await context.reader.require(tenant, kind, id);
  refuseProtected(stored);
  // Read before the checks: whatever is attached after this fails the commit.
  const guards = await attachmentGuards(context.store, stored);
  await refuseUsed(context.store, stored);
  const isMarked = (await context.store.get(deletingKey(tenant, stored.location))).kv !== undefined;
  if (isMarked) return { conditions: [], ops: [], result: { stored, marked: true } };
  const children = await countChildren(context.store, stored);
  if (children.length === 0) {
    const removal = await removalOf(context, stored);
    return { ...removal, conditions: [...guards, ...removal.conditions], result: { stored, marked: false } };
  }
  if (!cascade) {
    throw failedPrecondition(
      "delete",
      nameOf(kind, stored.entity),
      `it has ${children.join(" and ")}; delete them first, or use cascade`,
    );
  }
  return planMark(context, stored, guards);
}

function refuseProtected({ location, entity }: Stored): void {
  if (location.kind !== "loadBalancer" || !("deleteProtection" in entity) || !entity.deleteProtection) return;
  throw failedPrecondition(
    "delete",
    nameOf("loadBalancer", entity),
    "it is delete-protected; set delete_protection to false first",
  );
}

async function attachmentGuards(store: Store, { tenant, location }: Stored): Promise<Condition[]> {
  const entity = unchangedGuard(store, entityKey(tenant, location));
  if (location.kind === "certificate")
    return Promise.all([entity, unchangedGuard(store, touchKey(tenant, location.id))]);
  const mayHaveMore = CHILD_KINDS[location.kind].length > 0;
  return Promise.all(mayHaveMore ? [entity, unchangedGuard(store, unitKey(location.loadBalancerId))] : [entity]);
}

async function unchangedGuard(store: Store, key: string): Promise<Condition> {
  const { kv } = await store.get(key);
  return { compare: unchanged(key, kv?.modRevision ?? 0) };
}

async function refuseUsed(store: Store, { tenant, location, entity }: Stored): Promise<void> {
  if (location.kind !== "pool" && location.kind !== "certificate") return;
  const { kvs, count } = await store.range({ ...prefixRange(referencesPrefix(tenant, location.id)), limit: 1 });
  const [first] = kvs;
  if (first === undefined) return;
  const { kind, name } = decodeJson(first.value) as Referrer;
  const more = count > 1 ? ` and ${count - 1} more` : "";
  throw failedPrecondition("delete", nameOf(location.kind, entity), `it is used by ${labelOf(kind)} ${name}${more}`);
}

/** `2 listeners`, `1 pool`, for what there is. */
async function countChildren(store: Store, { tenant, location }: Stored): Promise<string[]> {
  const counts = await Promise.all(
    CHILD_KINDS[location.kind].map(async (kind) => {
      const at = { kind, loadBalancerId: location.loadBalancerId, parentId: location.id };
      const { count } = await store.range({ ...prefixRange(childrenPrefix(tenant, at)), countOnly: true });
      return count === 0 ? [] : [`${count} ${plural(labelOf(kind), count)}`];
    }),
  );
  return counts.flat();
}

const plural = (label: string, count: number): string => (count === 1 ? label : `${label.replace(/y$/, "ie")}s`);

/** Everything of one entity: itself, its place in indexes, what it holds alone, what it refers to. */
export async function removalOf(context: WriteContext, stored: Stored): Promise<Plan<void>> {
  const { tenant, location, entity } = stored;
  const extension = await context.hooks[location.kind].remove?.(stored as never);
  return {
    conditions: [...(extension?.conditions ?? [])],
    ops: [
      remove(entityKey(tenant, location)),
      remove(idKey(tenant, location.kind, location.id)),
      remove(deletingKey(tenant, location)),
      ...release(uniquesOf(location.kind, entity as never, { tenant, location })),
      ...referenceReleases(stored),
      ...(location.kind === "certificate" ? [remove(touchKey(tenant, location.id))] : []),
      ...(location.kind === "loadBalancer"
        ? [remove(unitKey(location.id))]
        : unitTouch(tenant, location, context.clock)),
      ...(extension?.ops ?? []),
    ],
    result: undefined,
  };
}

function planMark(context: WriteContext, stored: Stored, guards: readonly Condition[]): Plan<DeletionStart> {
  const { tenant, location } = stored;
  const key = deletingKey(tenant, location);
  const already: Condition[] = [{ compare: absent(key) }];
  const mark: CascadeRecord = { tenant, location };
  const ops: Op[] = [put(key, encodeJson(mark)), ...unitTouch(tenant, location, context.clock)];
  if (location.kind === "loadBalancer") ops.push(putDeletingSince(stored as Stored<"loadBalancer">, context));
  return { conditions: [...guards, ...already], ops, result: { stored, marked: true } };
}

/** Lets everybody who reads the load balancer see that it goes. */
function putDeletingSince({ tenant, location, entity }: Stored<"loadBalancer">, { clock }: WriteContext): Op {
  const deletingSince = new Date(clock.epochMs()).toISOString();
  return put(entityKey(tenant, location), encodeEntity("loadBalancer", { ...entity, deletingSince }));
}
