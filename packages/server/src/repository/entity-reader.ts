import { type KeyValue, prefixRange, read, type Store } from "@fiberlb/store";
import { decodeEntity, type Entities } from "@fiberlb/types";

import { decodeJson, decodeText } from "./codec.ts";
import {
  decodeLocation,
  entityKey,
  idKey,
  lastPart,
  type Location,
  policyOrderKey,
  type Tenant,
  type TenantKind,
} from "./keys.ts";
import { entityNotFound } from "./refusals.ts";

/** An entity as it stands in the store. */
export interface Stored<K extends TenantKind = TenantKind> {
  readonly tenant: Tenant;
  readonly location: Location;
  readonly entity: Entities[K];
  /** Store revision of its creation. */
  readonly createRevision: number;
  /** Store revision of its last write, also by the server itself. */
  readonly modRevision: number;
}

/** Operations that a transaction takes. */
const READS_PER_TXN = 128;

/** Reads single entities. Every read names the tenant, whose keys are apart from all others'. */
export class EntityReader {
  readonly store: Store;

  constructor(store: Store) {
    this.store = store;
  }

  /** Where the entity is; undefined when the tenant has none of this id. One read. */
  async locate(tenant: Tenant, kind: TenantKind, id: string): Promise<Location | undefined> {
    const { kv } = await this.store.get(idKey(tenant, kind, id));
    return kv === undefined ? undefined : decodeLocation(kind, id, decodeText(kv.value));
  }

  async find<K extends TenantKind>(tenant: Tenant, kind: K, id: string): Promise<Stored<K> | undefined> {
    const location = await this.locate(tenant, kind, id);
    return location === undefined ? undefined : this.at<K>(tenant, location);
  }

  /** @throws DomainError `not-found` */
  async require<K extends TenantKind>(tenant: Tenant, kind: K, id: string): Promise<Stored<K>> {
    const stored = await this.find(tenant, kind, id);
    if (stored === undefined) throw entityNotFound(kind, id);
    return stored;
  }

  /** The entity at a known place; one read, two for L7 policies. */
  async at<K extends TenantKind>(tenant: Tenant, location: Location): Promise<Stored<K> | undefined> {
    const [stored] = await this.many<K>(tenant, [location]);
    return stored;
  }

  /** Entities at known places, in the same order; one of them that has gone is left out. */
  async many<K extends TenantKind>(tenant: Tenant, locations: readonly Location[]): Promise<Stored<K>[]> {
    const kvs = await this.values(locations.map((location) => entityKey(tenant, location)));
    const found = locations.flatMap((location, index) => {
      const kv = kvs[index];
      return kv === undefined ? [] : [toStored<K>(tenant, location, kv)];
    });
    return this.withPositions(found);
  }

  /** Values of many keys in as few transactions as the store allows. */
  async values(keys: readonly string[]): Promise<(KeyValue | undefined)[]> {
    if (keys.length === 1) return [(await this.store.get(keys[0] as string)).kv];
    const values: (KeyValue | undefined)[] = [];
    for (let start = 0; start < keys.length; start += READS_PER_TXN) {
      const { results } = await this.store.txn({ success: keys.slice(start, start + READS_PER_TXN).map(read) });
      values.push(...results.map((result) => (result.type === "get" ? result.kv : undefined)));
    }
    return values;
  }

  /** Ids of a listener's L7 policies in their order, and the revision of that order. */
  async policyOrder(tenant: Tenant, at: { loadBalancerId: string; listenerId: string }): Promise<PolicyOrder> {
    const { kv } = await this.store.get(policyOrderKey(tenant, at));
    return kv === undefined
      ? { ids: [], modRevision: 0 }
      : { ids: decodeJson(kv.value) as string[], modRevision: kv.modRevision };
  }

  /** An L7 policy's position is its place in the listener's order, so that inserting one rewrites no other. */
  async withPositions<K extends TenantKind>(found: Stored<K>[]): Promise<Stored<K>[]> {
    const listeners = new Map(
      found
        .filter(({ location }) => location.kind === "l7Policy")
        .map((stored) => [stored.location.parentId, { stored, order: [] as readonly string[] }]),
    );
    if (listeners.size === 0) return found;
    for (const [listenerId, entry] of listeners) {
      const { tenant, location } = entry.stored;
      entry.order = (await this.policyOrder(tenant, { loadBalancerId: location.loadBalancerId, listenerId })).ids;
    }
    return found.map((stored) => placed(stored, listeners.get(stored.location.parentId)?.order ?? []));
  }
}

/** Order of a listener's policies. */
export interface PolicyOrder {
  readonly ids: readonly string[];
  /** 0 while there is none. */
  readonly modRevision: number;
}

/** Gives an L7 policy its position; other kinds have none. */
export function placed<K extends TenantKind>(stored: Stored<K>, order: readonly string[]): Stored<K> {
  if (stored.location.kind !== "l7Policy") return stored;
  return { ...stored, entity: { ...stored.entity, position: order.indexOf(stored.location.id) + 1 } };
}

export function toStored<K extends TenantKind>(tenant: Tenant, location: Location, kv: KeyValue): Stored<K> {
  return {
    tenant,
    location,
    entity: decodeEntity(location.kind as K, kv.value),
    createRevision: kv.createRevision,
    modRevision: kv.modRevision,
  };
}

/** Reads a whole prefix in pages, as of one revision. */
export async function readPrefix(store: Store, prefix: string): Promise<KeyValue[]> {
  const { kvs } = await store.range(prefixRange(prefix));
  return [...kvs];
}

/** Key ends of a prefix, for lists of ids. */
export const idsOf = (kvs: readonly KeyValue[]): string[] => kvs.map(({ key }) => lastPart(key));
