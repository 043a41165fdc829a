import { type KeyRange, keyAfter, prefixRange } from "@fiberlb/store";

import { decodeText } from "./codec.ts";
import { type EntityReader, type Stored, toStored } from "./entity-reader.ts";
import {
  childrenPrefix,
  decodeLocation,
  idPrefix,
  lastPart,
  nameKey,
  type Tenant,
  type TenantKind,
  type TreeKind,
} from "./keys.ts";
import { parentKindOf } from "./kinds.ts";

/** What a List asks for. */
export interface ListQuery<K extends TenantKind> {
  readonly tenant: Tenant;
  readonly kind: K;
  /** Only what is below this; absent: the whole project. */
  readonly parentId?: string | undefined;
  readonly name?: string | undefined;
  /** Every one must be there with this value. */
  readonly tags: Readonly<Record<string, string>>;
  readonly limit: number;
  /** The id at which the page before ended. */
  readonly afterId?: string | undefined;
}

export interface Page<K extends TenantKind> {
  /** In order of creation. */
  readonly items: readonly Stored<K>[];
  /** Where the next page begins; absent at the end. */
  readonly nextAfterId?: string;
}

/** One page. Ids are in order of creation, and so are keys. @throws DomainError `not-found` of the parent */
export async function listEntities<K extends TenantKind>(reader: EntityReader, query: ListQuery<K>): Promise<Page<K>> {
  const items: Stored<K>[] = [];
  for await (const batch of batches(reader, query)) {
    items.push(...batch.filter((stored) => matches(stored, query)));
    // One more than asked for tells whether there is a next page.
    if (items.length > query.limit) break;
  }
  if (items.length <= query.limit) return { items };
  const page = items.slice(0, query.limit);
  return { items: page, nextAfterId: page.at(-1)?.location.id ?? "" };
}

function matches({ entity }: Stored, { name, tags }: ListQuery<TenantKind>): boolean {
  if (name !== undefined && entity.name !== name) return false;
  return Object.entries(tags).every(([key, value]) => Object.hasOwn(entity.tags, key) && entity.tags[key] === value);
}

async function* batches<K extends TenantKind>(reader: EntityReader, query: ListQuery<K>): AsyncGenerator<Stored<K>[]> {
  const { tenant, kind, parentId } = query;
  const parentKind = parentKindOf(kind);
  const parent =
    parentId === undefined || parentKind === undefined ? undefined : await reader.require(tenant, parentKind, parentId);
  if (query.name !== undefined && (parentKind === undefined || parent !== undefined)) {
    yield byName(reader, query, query.name);
  } else if (parent !== undefined) {
    const at = { kind: kind as TreeKind, loadBalancerId: parent.location.loadBalancerId, parentId: parent.location.id };
    yield* below(reader, query, at);
  } else {
    yield* inProject(reader, query);
  }
}

/** Names are unique within a parent. */
async function byName<K extends TenantKind>(
  reader: EntityReader,
  { tenant, kind, parentId = "", afterId = "" }: ListQuery<K>,
  name: string,
): Promise<Stored<K>[]> {
  const { kv } = await reader.store.get(nameKey(tenant, { kind, parentId, name }));
  if (kv === undefined) return [];
  const id = decodeText(kv.value);
  const stored = id > afterId ? await reader.find(tenant, kind, id) : undefined;
  return stored === undefined ? [] : [stored];
}

async function* below<K extends TenantKind>(
  reader: EntityReader,
  query: ListQuery<K>,
  at: { readonly kind: TreeKind; readonly loadBalancerId: string; readonly parentId: string },
): AsyncGenerator<Stored<K>[]> {
  for await (const kvs of pages(reader, childrenPrefix(query.tenant, at), query)) {
    const found = kvs.map((kv) => toStored<K>(query.tenant, { ...at, id: lastPart(kv.key) }, kv));
    yield reader.withPositions(found);
  }
}

async function* inProject<K extends TenantKind>(
  reader: EntityReader,
  query: ListQuery<K>,
): AsyncGenerator<Stored<K>[]> {
  const { tenant, kind } = query;
  for await (const kvs of pages(reader, idPrefix(tenant, kind), query)) {
    const locations = kvs.map(({ key, value }) => decodeLocation(kind, lastPart(key), decodeText(value)));
    yield reader.many<K>(tenant, locations);
  }
}

async function* pages(
  { store }: EntityReader,
  prefix: string,
  { limit, afterId }: ListQuery<TenantKind>,
): AsyncGenerator<Awaited<ReturnType<typeof store.range>>["kvs"]> {
  const { start, end } = prefixRange(prefix);
  let range: KeyRange = { start: afterId === undefined ? start : keyAfter(`${prefix}${afterId}`), end };
  for (;;) {
    const { kvs, more } = await store.range({ ...range, limit: limit + 1 });
    yield kvs;
    const last = kvs.at(-1);
    if (!more || last === undefined) return;
    range = { start: keyAfter(last.key), end };
  }
}
