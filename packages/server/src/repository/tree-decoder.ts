import type { KeyValue } from "@fiberlb/store";
import { decodeEntity, type Entities } from "@fiberlb/types";

import type { TenantKind } from "./keys.ts";

interface Decoded {
  readonly modRevision: number;
  readonly entity: unknown;
}

/** By tree: its entities by key. Goes when the tree does. */
const lent = new WeakMap<object, ReadonlyMap<string, Decoded>>();

/** Decodes the values of one tree, and only those that differ from the tree that was read before. */
export class TreeDecoder {
  readonly #known: ReadonlyMap<string, Decoded>;
  readonly #decoded = new Map<string, Decoded>();

  /** @param previous see {@link lendFrom} */
  constructor(previous: object | undefined) {
    this.#known = (previous && lent.get(previous)) ?? new Map<string, Decoded>();
  }

  /** The same object as before when the key has not been written since. @throws StoredFormatError */
  decode<K extends TenantKind>(kind: K, { key, value, modRevision }: KeyValue): Entities[K] {
    const known = this.#known.get(key);
    const entity = known?.modRevision === modRevision ? (known.entity as Entities[K]) : decodeEntity(kind, value);
    this.#decoded.set(key, { modRevision, entity });
    return entity;
  }

  /** Lets the decoder of the next reading take from this tree. */
  lendFrom(tree: object): void {
    lent.set(tree, this.#decoded);
  }
}
