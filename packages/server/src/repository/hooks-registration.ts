import { type Op, prefixRange, put, remove, removeRange, type Store } from "@fiberlb/store";

import { encodeJson, encodeText } from "./codec.ts";
import type { Stored } from "./entity-reader.ts";
import { backendHealthPrefix, type Location, registeredKey, registrationKey, type Tenant } from "./keys.ts";
import type { KindHooks } from "./write-context.ts";

/** Where a registered backend is, for the reaper. */
export interface RegisteredRecord {
  readonly tenant: Tenant;
  readonly location: Location;
}

/**
 * A backend with a TTL is registered: one key says so for good, another lives under a lease of the TTL. Renewing keeps the
 * lease alive and writes nothing; when the second key has gone, the reaper drains the backend.
 */
export function registrationHooks(store: Store): Pick<KindHooks<"backend">, "create" | "update" | "remove"> {
  return {
    async create({ tenant, location, spec, validateOnly }) {
      if (spec.ttlS === 0 || validateOnly) return {};
      return { ops: await registerOps(store, { tenant, location, ttlS: spec.ttlS }) };
    },
    async update({ before, after, validateOnly }) {
      const { tenant, location, entity } = before;
      if (after.ttlS === entity.ttlS || validateOnly) return {};
      if (after.ttlS === 0) return { ops: unregisterOps(location.id) };
      return { ops: await registerOps(store, { tenant, location, ttlS: after.ttlS }) };
    },
    remove: async (stored) => ({ ops: [...unregisterOps(stored.location.id), removeVerdicts(stored)] }),
  };
}

/** Begins a registration, or begins it anew. */
export async function registerOps(store: Store, given: RegisteredRecord & { readonly ttlS: number }): Promise<Op[]> {
  const { tenant, location, ttlS } = given;
  const lease = await store.grantLease(ttlS * 1000);
  return [
    put(registeredKey(location.id), encodeJson({ tenant, location } satisfies RegisteredRecord)),
    put(registrationKey(location.id), encodeText(location.id), { lease }),
  ];
}

const unregisterOps = (id: string): Op[] => [remove(registeredKey(id)), remove(registrationKey(id))];

const removeVerdicts = ({ location }: Stored): Op =>
  removeRange(prefixRange(backendHealthPrefix({ loadBalancerId: location.loadBalancerId, backendId: location.id })));
