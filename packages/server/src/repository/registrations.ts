import { absent, isStoreError, present, put, remove, unchanged } from "@fiberlb/store";
import { type Backend, encodeEntity, failedPrecondition } from "@fiberlb/types";

import { unitTouch } from "./attachments.ts";
import { removalOf } from "./delete.ts";
import type { Stored } from "./entity-reader.ts";
import { registerOps } from "./hooks-registration.ts";
import { entityKey, type Location, registrationKey, type Tenant } from "./keys.ts";
import { nameOf } from "./refusals.ts";
import { type Plan, transact } from "./transaction.ts";
import type { WriteContext } from "./write-context.ts";

const nothing: Plan<undefined> = { conditions: [], ops: [], result: undefined };

/**
 * Renews a registered backend; one that was draining serves again. A backend made to stay (ttl_s 0) is left as it is.
 */
export async function renew(context: WriteContext, stored: Stored<"backend">): Promise<Stored<"backend">> {
  if (stored.entity.ttlS === 0) return stored;
  if (stored.entity.drainingSince === undefined && (await keepAlive(context, stored.location.id))) return stored;
  const plan = (): Promise<Plan<Stored<"backend">>> => planRevival(context, stored);
  return (await transact(context.store, plan, { what: nameOf("backend", stored.entity) })).result;
}

/** Whether the registration still lived. */
async function keepAlive({ store }: WriteContext, backendId: string): Promise<boolean> {
  const { kv } = await store.get(registrationKey(backendId));
  if (kv?.lease === undefined) return false;
  try {
    await store.keepAlive(kv.lease);
    return true;
  } catch (error) {
    if (isStoreError(error, "LEASE_NOT_FOUND")) return false;
    throw error;
  }
}

async function planRevival(context: WriteContext, { tenant, location }: Stored): Promise<Plan<Stored<"backend">>> {
  const current = await context.reader.require(tenant, "backend", location.id);
  const { drainingSince: _, ...serving } = current.entity;
  const ops = await registerOps(context.store, { tenant, location, ttlS: serving.ttlS });
  return {
    conditions: [{ compare: unchanged(entityKey(tenant, location), current.modRevision) }],
    ops: [...ops, ...rewrite(context, current, serving)],
    result: { ...current, entity: serving },
  };
}

/** Takes a registered backend out of service at once; it is removed when its connections had time to end. */
export async function deregister(context: WriteContext, stored: Stored<"backend">): Promise<void> {
  if (stored.entity.ttlS === 0) {
    const why = "it was not registered; use DeleteBackend, or set its weight to 0";
    throw failedPrecondition("deregister", nameOf("backend", stored.entity), why);
  }
  const plan = async (): Promise<Plan<undefined>> => {
    const current = await context.reader.at<"backend">(stored.tenant, stored.location);
    if (current === undefined) return nothing;
    const drained = planDrain(context, current);
    return { ...drained, ops: [...drained.ops, remove(registrationKey(current.location.id))] };
  };
  await transact(context.store, plan, { what: nameOf("backend", stored.entity) });
}

/** Drains a backend whose registration has run out; does nothing when it was renewed meanwhile. */
export async function drainExpired(context: WriteContext, tenant: Tenant, location: Location): Promise<void> {
  const plan = async (): Promise<Plan<undefined>> => {
    const current = await context.reader.at<"backend">(tenant, location);
    if (current === undefined || (await isRegistered(context, location.id))) return nothing;
    const drained = planDrain(context, current);
    return { ...drained, conditions: [...drained.conditions, { compare: absent(registrationKey(location.id)) }] };
  };
  await transact(context.store, plan, { what: `backend ${location.id}` });
}

const isRegistered = async ({ store }: WriteContext, id: string): Promise<boolean> =>
  (await store.get(registrationKey(id))).kv !== undefined;

function planDrain(context: WriteContext, current: Stored<"backend">): Plan<undefined> {
  const drainingSince = current.entity.drainingSince ?? new Date(context.clock.epochMs()).toISOString();
  const key = entityKey(current.tenant, current.location);
  if (drainingSince === current.entity.drainingSince) return { ...nothing, conditions: [{ compare: present(key) }] };
  return {
    conditions: [{ compare: unchanged(key, current.modRevision) }],
    ops: rewrite(context, current, { ...current.entity, drainingSince }),
    result: undefined,
  };
}

/** The server's own change: the client's revision stays. */
function rewrite(context: WriteContext, { tenant, location }: Stored, entity: Backend): Plan<undefined>["ops"] {
  return [
    put(entityKey(tenant, location), encodeEntity("backend", entity)),
    ...unitTouch(tenant, location, context.clock),
  ];
}

/** Removes a backend that has drained; does nothing when it was renewed meanwhile. */
export async function removeDrained(context: WriteContext, tenant: Tenant, location: Location): Promise<void> {
  const plan = async (): Promise<Plan<void>> => {
    const current = await context.reader.at<"backend">(tenant, location);
    if (current?.entity.drainingSince === undefined) return nothing;
    const removal = await removalOf(context, current);
    const still = unchanged(entityKey(tenant, location), current.modRevision);
    return { ...removal, conditions: [...removal.conditions, { compare: still }] };
  };
  await transact(context.store, plan, { what: `backend ${location.id}` });
}
