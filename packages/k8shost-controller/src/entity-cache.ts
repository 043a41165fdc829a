import { entityFromMessage, type ResourceMessage } from "@fiberlb/api";
import type { ResourceKind } from "@fiberlb/types";

import type { Fields } from "./operations.ts";

interface Entry {
  readonly revision: bigint;
  readonly fields: Fields;
}

/** Kinds whose fields are worth keeping: checking an entity costs more than comparing it. */
type CachedKind = Extract<ResourceKind, "listener" | "pool" | "healthCheck">;

/** Checked fields of resources, as long as their revision stays the same. */
export class EntityCache {
  readonly #entries = new Map<string, Entry>();
  readonly #maxEntries: number;

  /** Forgets everything when it holds so many; default 100,000. */
  constructor(maxEntries = 100_000) {
    this.#maxEntries = maxEntries;
  }

  /** As the domain names them, with every default. */
  fieldsOf<K extends CachedKind>(kind: K, message: ResourceMessage<K>): Fields {
    const { id, revision } = message as unknown as { id: string; revision: bigint };
    const known = this.#entries.get(id);
    if (known !== undefined && known.revision === revision) return known.fields;
    const fields = entityFromMessage(kind, message) as unknown as Fields;
    if (this.#entries.size >= this.#maxEntries) this.#entries.clear();
    this.#entries.set(id, { revision, fields });
    return fields;
  }
}
