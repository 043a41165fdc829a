import { isStoreError, prefixRange, type Store } from "@fiberlb/store";

import { lastPart, UNIT_PREFIX } from "./keys.ts";
import { type TreeAddress, unitAddress } from "./tree.ts";

/** What happened to load balancers at one revision. */
export type UnitChange =
  | {
      readonly type: "changed";
      /** Everything up to here has been told. */
      readonly revision: number;
      /** To be read afresh: they, or something below them, were created or changed. */
      readonly changed: readonly TreeAddress[];
      /** Ids of load balancers that have gone. */
      readonly removed: readonly string[];
    }
  /** History was compacted: read everything afresh and follow from there. The last one. */
  | { readonly type: "reload" };

/**
 * Follows the load balancers of all tenants from a revision, without a gap: pass the revision that {@link readUnits} gave,
 * plus one. Revisions without a change of any load balancer are told now and then with empty lists.
 *
 * @throws StoreError when the store fails or is closed.
 */
export async function* watchUnits(store: Store, fromRevision: number, signal: AbortSignal): AsyncGenerator<UnitChange> {
  try {
    for await (const { revision, events } of store.watch({
      ...prefixRange(UNIT_PREFIX),
      fromRevision,
      signal,
      progress: true,
    })) {
      const puts = events.filter(({ type }) => type === "put");
      const deletes = events.filter(({ type }) => type === "delete");
      yield {
        type: "changed",
        revision,
        changed: puts.map(({ kv }) => unitAddress(kv)),
        removed: deletes.map(({ kv }) => lastPart(kv.key)),
      };
    }
  } catch (error) {
    if (!isStoreError(error, "COMPACTED")) throw error;
    yield { type: "reload" };
  }
}
