import { absent, type Op, present, put, remove } from "@fiberlb/store";

import type { Clock } from "../clock.ts";
import { encodeJson, encodeText } from "./codec.ts";
import type { Stored } from "./entity-reader.ts";
import {
  deletingKey,
  entityKey,
  type Location,
  referenceKey,
  type Tenant,
  type TenantKind,
  touchKey,
  unitKey,
} from "./keys.ts";
import { type Reference, referencesOf } from "./kinds.ts";
import { beingDeleted, entityNotFound, nameOf } from "./refusals.ts";
import type { Condition } from "./transaction.ts";

/** What a unit key says: whose the load balancer is, and when something of it last changed. */
export interface UnitRecord extends Tenant {
  /** Milliseconds since 1970. */
  readonly changedAtMs: number;
}

/** A referrer, as the error of a refused deletion names it. */
export interface Referrer {
  readonly kind: TenantKind;
  readonly name: string;
}

/** The entity itself and everything that it is below. */
export function ancestorsOf(location: Location): Location[] {
  const { kind, loadBalancerId, parentId } = location;
  if (kind === "loadBalancer") return [location];
  const root: Location = { kind: "loadBalancer", id: loadBalancerId, loadBalancerId, parentId: "" };
  if (kind === "l7Policy")
    return [location, { kind: "listener", id: parentId, loadBalancerId, parentId: loadBalancerId }, root];
  return [location, root];
}

/**
 * Marks the load balancer's unit as changed. Every write below a load balancer does this without a comparison, so that
 * writers don't wait for each other, while deletions compare it: nothing can be attached between their check and commit.
 */
export function unitTouch(tenant: Tenant, { loadBalancerId }: Location, clock: Clock): Op[] {
  if (loadBalancerId === "") return [];
  const record: UnitRecord = { ...tenant, changedAtMs: clock.epochMs() };
  return [put(unitKey(loadBalancerId), encodeJson(record))];
}

/** Where the target of a reference is: pools are of the same load balancer, certificates of the project. */
export function targetLocation({ kind, id }: Reference, { loadBalancerId }: Location): Location {
  if (kind === "certificate") return { kind, id, loadBalancerId: "", parentId: "" };
  return { kind, id, loadBalancerId, parentId: loadBalancerId };
}

/**
 * Attaches an entity to what it refers to: the targets must exist and stay, and are told who refers to them. What the entity
 * referred to `before` cannot go as long as it does, so that only new references cost comparisons.
 */
export function referenceClaims(stored: Stored, before?: Stored): { conditions: Condition[]; ops: Op[] } {
  const { tenant, location } = stored;
  const known = new Set(before === undefined ? [] : referencesIn(before).map(({ id }) => id));
  const renamed = before?.entity.name !== stored.entity.name;
  const references = referencesIn(stored);
  const added = references.filter(({ id }) => !known.has(id));
  const referrer = encodeJson({ kind: location.kind, name: stored.entity.name } satisfies Referrer);
  return {
    conditions: added.flatMap((reference) => targetStays(tenant, location, reference)),
    ops: [
      ...(renamed ? references : added).map(({ id }) => put(referenceKey(tenant, id, location), referrer)),
      ...added.flatMap(({ kind, id }) =>
        kind === "certificate" ? [put(touchKey(tenant, id), encodeText(location.id))] : [],
      ),
    ],
  };
}

function targetStays(tenant: Tenant, location: Location, reference: Reference): Condition[] {
  const target = targetLocation(reference, location);
  const exists: Condition = {
    compare: present(entityKey(tenant, target)),
    otherwise: entityNotFound(reference.kind, reference.id),
  };
  // A certificate has nothing below it and goes at once.
  if (reference.kind === "certificate") return [exists];
  const otherwise = beingDeleted(nameOf(reference.kind, { name: reference.id }));
  return [exists, { compare: absent(deletingKey(tenant, target)), otherwise }];
}

/** Takes an entity off everything that it refers to, or off what it no longer refers to when it goes on as `after`. */
export function referenceReleases(stored: Stored, after?: Stored): Op[] {
  const kept = new Set(after === undefined ? [] : referencesIn(after).map(({ id }) => id));
  return referencesIn(stored)
    .filter(({ id }) => !kept.has(id))
    .map(({ id }) => remove(referenceKey(stored.tenant, id, stored.location)));
}

/** Each target once: a certificate may be named in several fields of one listener. */
function referencesIn({ location, entity }: Stored): Reference[] {
  const references = referencesOf(location.kind, entity as never);
  return [...new Map(references.map((reference) => [reference.id, reference])).values()];
}
