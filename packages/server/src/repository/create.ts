import { absent, type Op, present, put } from "@fiberlb/store";
import {
  createEntity,
  encodeEntity,
  type Entities,
  labelOf,
  madeUpName,
  type Records,
  type Specs,
} from "@fiberlb/types";

import { ancestorsOf, referenceClaims, unitTouch } from "./attachments.ts";
import { encodeText } from "./codec.ts";
import type { Stored } from "./entity-reader.ts";
import { timeOfId } from "./ids.ts";
import { deletingKey, encodeLocation, entityKey, idKey, type Location, type Tenant, type TenantKind } from "./keys.ts";
import { claim, parentIdOf, parentKindOf, uniquesOf } from "./kinds.ts";
import { beingDeleted, entityNotFound, nameOf } from "./refusals.ts";
import type { IdempotentRequest } from "./requests.ts";
import type { Condition, Plan } from "./transaction.ts";
import { transact } from "./transaction.ts";
import type { WriteContext } from "./write-context.ts";

/** A Create whose fields are right by themselves. */
export interface CreateRequest<K extends TenantKind> {
  readonly tenant: Tenant;
  readonly kind: K;
  readonly spec: Specs[K];
  /** What the control plane read out of the spec, such as a certificate's subject. */
  readonly record?: Partial<Entities[K]>;
  /** Absent: every call creates. */
  readonly request?: IdempotentRequest | undefined;
  readonly validateOnly: boolean;
  /** Rules between this and other entities; throws the refusal. Called again when the state changed meanwhile. */
  readonly check?: (parent: Stored | undefined) => Promise<void>;
}

/** The result of a write, and whether anything was written. */
export interface Written<K extends TenantKind> {
  readonly stored: Stored<K>;
  readonly changed: boolean;
}

export async function createOne<K extends TenantKind>(
  context: WriteContext,
  request: CreateRequest<K>,
): Promise<Written<K>> {
  const { kind, spec, validateOnly } = request;
  const what = `${labelOf(kind)} ${(spec as { name?: string }).name ?? ""}`.trim();
  const leaseLost = (): void => context.requests.forgetLease();
  const options = { what, validateOnly, leaseLost };
  const id = context.ids.next();
  const plan = (): Promise<CreatePlan<K>> => planCreate(context, request, id);
  const { result, txn } = await transact(context.store, plan, options).finally(() => context.hooks[kind].settled?.(id));
  if (result.replayed) return { stored: result.stored, changed: false };
  const revision = txn.revision;
  const stored = { ...result.stored, createRevision: revision, modRevision: revision };
  if (!validateOnly) await context.hooks[kind].created?.(stored);
  return { stored, changed: !validateOnly };
}

type CreatePlan<K extends TenantKind> = Plan<{ readonly stored: Stored<K>; readonly replayed: boolean }>;

async function planCreate<K extends TenantKind>(
  context: WriteContext,
  request: CreateRequest<K>,
  id: string,
): Promise<CreatePlan<K>> {
  const { tenant, kind, spec, validateOnly } = request;
  const replay = await context.requests.replay<K>(request);
  if (replay !== undefined) return { conditions: [], ops: [], result: { stored: replay, replayed: true } };
  const parent = await readParent(context, request);
  await request.check?.(parent);
  const location = newLocation(kind, id, parent);
  const extension = await context.hooks[kind].create?.({ tenant, location, spec, parent, validateOnly });
  const entity = newEntity(request, location, { ...request.record, ...extension?.record } as Partial<Entities[K]>);
  const stored: Stored<K> = { tenant, location, entity, createRevision: 0, modRevision: 0 };
  const write = writeOf(context, stored, parent);
  const remember = validateOnly ? undefined : await context.requests.remember(request, stored);
  return {
    conditions: [
      ...(remember === undefined ? [] : [remember.condition]),
      ...write.conditions,
      ...(extension?.conditions ?? []),
    ],
    ops: [...write.ops, ...(extension?.ops ?? []), ...(remember === undefined ? [] : [remember.op])],
    result: { stored, replayed: false },
  };
}

async function readParent<K extends TenantKind>(
  context: WriteContext,
  { tenant, kind, spec }: CreateRequest<K>,
): Promise<Stored | undefined> {
  const parentKind = parentKindOf(kind);
  // Parents are named by the same fields in specs and entities.
  return parentKind === undefined
    ? undefined
    : context.reader.require(tenant, parentKind, parentIdOf(kind, spec as unknown as Entities[K]));
}

function newLocation(kind: TenantKind, id: string, parent: Stored | undefined): Location {
  if (kind === "loadBalancer") return { kind, id, loadBalancerId: id, parentId: "" };
  if (parent === undefined) return { kind, id, loadBalancerId: "", parentId: "" };
  return { kind, id, loadBalancerId: parent.location.loadBalancerId, parentId: parent.location.id };
}

function newEntity<K extends TenantKind>(
  { tenant, kind, spec }: CreateRequest<K>,
  { id }: Location,
  record: Partial<Entities[K]>,
): Entities[K] {
  const createdAt = timeOfId(id);
  const { name = madeUpName(kind, id) } = spec as { name?: string };
  const common = { id, name, ...tenant, revision: 1, createdAt, updatedAt: createdAt };
  return createEntity(kind, spec, { ...common, ...record } as unknown as Records[K]);
}

/** What every kind needs: the parent must stay, references must exist, names must be free. */
function writeOf<K extends TenantKind>(
  context: WriteContext,
  stored: Stored<K>,
  parent: Stored | undefined,
): { conditions: Condition[]; ops: Op[] } {
  const { tenant, location, entity } = stored;
  const kind = location.kind as K;
  const uniques = claim(uniquesOf(kind, entity, { tenant, location }), location.id);
  const references = referenceClaims(stored);
  return {
    conditions: [...parentStays(tenant, parent), ...references.conditions, ...uniques.conditions],
    ops: [
      put(entityKey(tenant, location), encodeEntity(kind, entity)),
      put(idKey(tenant, kind, location.id), encodeText(encodeLocation(location))),
      ...uniques.ops,
      ...references.ops,
      ...unitTouch(tenant, location, context.clock),
    ],
  };
}

function parentStays(tenant: Tenant, parent: Stored | undefined): Condition[] {
  if (parent === undefined) return [];
  const { kind, id } = parent.location;
  const ancestors = ancestorsOf(parent.location).map((ancestor) => ({
    compare: absent(deletingKey(tenant, ancestor)),
    otherwise: beingDeleted(nameOf(kind, parent.entity)),
  }));
  return [{ compare: present(entityKey(tenant, parent.location)), otherwise: entityNotFound(kind, id) }, ...ancestors];
}
