import { clone, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  absent,
  type Compare,
  type KeyRange,
  type KeyValue,
  keyAfter,
  type Op,
  put,
  remove,
  type Store,
  unchanged,
} from "@fiberlb/store";

import { objectKey, parseKey, type Place, type Scope, scopeRange } from "./keys.ts";
import { type HostObject, type Kind, metaOf } from "./kinds.ts";

/** What one transaction does beside writing the object: cluster IPs. */
export interface Companions {
  readonly compare?: readonly Compare[];
  readonly success?: readonly Op[];
}

/** A piece of a list. */
export interface Page<T> {
  readonly objects: readonly T[];
  /** Key of the last object; absent when nothing follows. */
  readonly lastKey?: string;
  readonly revision: number;
}

/** Which part of a list. */
export interface PageOptions<T> {
  readonly limit: number;
  readonly afterKey?: string | undefined;
  /** Read as of this revision. Default: the newest. */
  readonly revision?: number | undefined;
  readonly matches: (object: T) => boolean;
}

/** Keys read at once while a list looks for what matches. */
const CHUNK_KEYS = 500;

/**
 * Objects as messages in the store. The resource version of an object is the revision of its key: it is not written, but
 * filled in when the object is read, and every write compares it.
 */
export class ObjectStore {
  readonly store: Store;

  constructor(store: Store) {
    this.store = store;
  }

  async get<T extends HostObject>(kind: Kind<T>, place: Place): Promise<T | undefined> {
    const { kv } = await this.store.get(objectKey(kind, place));
    return kv && decodeObject(kind, kv);
  }

  /** Answers the object as it is now, or undefined when its name is taken (or a companion's comparison failed). */
  async create<T extends HostObject>(kind: Kind<T>, object: T, beside: Companions = {}): Promise<T | undefined> {
    const key = objectKey(kind, metaOf(object));
    return this.#write(kind, object, { key, condition: absent(key), beside });
  }

  /** Answers the object as it is now, or undefined when it is no longer at the resource version that `object` carries. */
  async replace<T extends HostObject>(kind: Kind<T>, object: T, beside: Companions = {}): Promise<T | undefined> {
    const key = objectKey(kind, metaOf(object));
    return this.#write(kind, object, { key, condition: unchanged(key, versionOf(object)), beside });
  }

  /** Answers the revision of the object's end, or undefined when it is no longer at the resource version that `object` carries. */
  async remove<T extends HostObject>(kind: Kind<T>, object: T, beside: Companions = {}): Promise<number | undefined> {
    const key = objectKey(kind, metaOf(object));
    const { succeeded, revision } = await this.store.txn({
      compare: [unchanged(key, versionOf(object)), ...(beside.compare ?? [])],
      success: [remove(key), ...(beside.success ?? [])],
    });
    return succeeded ? revision : undefined;
  }

  /** A page in order of keys. Reads on past what does not match, until the page is full or the range at its end. */
  async page<T extends HostObject>(kind: Kind<T>, scope: Scope, options: PageOptions<T>): Promise<Page<T>> {
    const { start, end } = scopeRange(kind, scope);
    const objects: T[] = [];
    let next = options.afterKey === undefined ? start : keyAfter(options.afterKey);
    let revision = options.revision;
    for (;;) {
      const range: KeyRange = { start: next, end };
      const at = revision === undefined ? {} : { revision };
      const found = await this.store.range({ ...range, limit: CHUNK_KEYS, ...at });
      revision ??= found.revision;
      for (const [index, kv] of found.kvs.entries()) {
        const object = decodeAs(kind, kv);
        if (object === undefined || !options.matches(object)) continue;
        objects.push(object);
        const isLast = !found.more && index === found.kvs.length - 1;
        if (objects.length === options.limit) return { objects, revision, ...(isLast ? {} : { lastKey: kv.key }) };
      }
      const last = found.kvs.at(-1);
      if (!found.more || last === undefined) return { objects, revision };
      next = keyAfter(last.key);
    }
  }

  async #write<T extends HostObject>(
    kind: Kind<T>,
    object: T,
    { key, condition, beside }: { readonly key: string; readonly condition: Compare; readonly beside: Companions },
  ): Promise<T | undefined> {
    const { succeeded, revision } = await this.store.txn({
      compare: [condition, ...(beside.compare ?? [])],
      success: [put(key, encodeObject(kind, object)), ...(beside.success ?? [])],
    });
    return succeeded ? withVersion(kind, object, revision) : undefined;
  }
}

/** Of an object that was read: the revision of its last change. */
export const versionOf = (object: HostObject): number => Number(metaOf(object).resourceVersion);

export function encodeObject<T extends HostObject>(kind: Kind<T>, object: T): Uint8Array {
  return toBinary(kind.schema, withVersion(kind, object, 0));
}

/** The object of a key's value, with its resource version. */
export function decodeObject<T extends HostObject>(kind: Kind<T>, { value, modRevision }: KeyValue): T {
  const object = fromBinary(kind.schema, value);
  metaOf(object).resourceVersion = BigInt(modRevision);
  return object;
}

/** Undefined for a key of another kind. */
export function decodeAs<T extends HostObject>(kind: Kind<T>, kv: KeyValue): T | undefined {
  return parseKey(kv.key)?.plural === kind.plural ? decodeObject(kind, kv) : undefined;
}

function withVersion<T extends HostObject>({ schema }: Kind<T>, object: T, revision: number): T {
  const copy = clone(schema, object);
  metaOf(copy).resourceVersion = BigInt(revision);
  return copy;
}
