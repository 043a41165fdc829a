import { create } from "@bufbuild/protobuf";
import { ObjectMetaSchema } from "@fiberlb/api/k8shost";
import type { Store, WatchBatch, WatchEvent as StoreEvent } from "@fiberlb/store";

import type { Clock } from "../clock.ts";
import { parseKey, type Scope, scopeRange } from "./keys.ts";
import type { HostObject, Kind } from "./kinds.ts";
import { decodeObject, type ObjectStore } from "./object-store.ts";

/** One change, as it looks to somebody who sees only what matches. */
export type ObjectEvent<T> =
  | { readonly type: "added" | "modified" | "deleted"; readonly object: T; readonly revision: number }
  | { readonly type: "bookmark"; readonly revision: number };

/** What to follow, and from when on. */
export interface FollowOptions<T extends HostObject> {
  readonly kind: Kind<T>;
  readonly scope: Scope;
  readonly matches: (object: T) => boolean;
  /** Changes after it; 0: first all objects, a bookmark, then changes. */
  readonly afterRevision: number;
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

/** A watch is never silent for longer. */
const BOOKMARK_INTERVAL_MS = 10_000;
const PAGE_OBJECTS = 500;

/**
 * Changes of objects without gap or duplicate. An object that begins to match is added, one that no longer does is deleted.
 * Throws the store's `COMPACTED` when the history does not reach back to `afterRevision`.
 */
export async function* follow<T extends HostObject>(
  objects: ObjectStore,
  options: FollowOptions<T>,
): AsyncGenerator<ObjectEvent<T>> {
  let { afterRevision } = options;
  if (afterRevision === 0) {
    afterRevision = yield* everything(objects, options);
    yield { type: "bookmark", revision: afterRevision };
  }
  const { start, end } = scopeRange(options.kind, options.scope);
  const { signal } = options;
  const watch = { start, end, fromRevision: afterRevision + 1, signal, prevKv: true, progress: true };
  for await (const batch of neverSilent(objects.store, watch, options.clock)) {
    if (batch !== undefined) {
      yield* changes(batch, options);
      afterRevision = Math.max(afterRevision, batch.revision);
      if (batch.events.length > 0) continue;
    }
    yield { type: "bookmark", revision: afterRevision };
  }
}

/** All objects as of one revision, which it returns. */
async function* everything<T extends HostObject>(
  objects: ObjectStore,
  { kind, scope, matches }: FollowOptions<T>,
): AsyncGenerator<ObjectEvent<T>, number> {
  let afterKey: string | undefined;
  let revision: number | undefined;
  for (;;) {
    const page = await objects.page(kind, scope, { limit: PAGE_OBJECTS, afterKey, revision, matches });
    revision = page.revision;
    for (const object of page.objects) yield { type: "added", object, revision };
    if (page.lastKey === undefined) return revision;
    afterKey = page.lastKey;
  }
}

/** The store's batches, and undefined whenever nothing came for a while. */
async function* neverSilent(
  store: Store,
  options: Parameters<Store["watch"]>[0],
  clock: Clock,
): AsyncGenerator<WatchBatch | undefined> {
  const batches = store.watch(options)[Symbol.asyncIterator]();
  try {
    for (;;) {
      // One reaction a batch, however often the wait is cut short.
      let outcome: (() => IteratorResult<WatchBatch>) | undefined;
      let wake = (): void => undefined;
      batches.next().then(
        (result) => {
          outcome = () => result;
          wake();
        },
        (error: unknown) => {
          outcome = () => {
            throw error;
          };
          wake();
        },
      );
      for (;;) {
        await new Promise<void>((resolve) => {
          const cancel = clock.after(BOOKMARK_INTERVAL_MS, resolve);
          wake = () => {
            cancel();
            resolve();
          };
          if (outcome !== undefined) wake();
        });
        if (outcome !== undefined) break;
        yield undefined;
      }
      const result = outcome();
      if (result.done === true) return;
      yield result.value;
    }
  } finally {
    await batches.return?.();
  }
}

function* changes<T extends HostObject>(
  { events, revision }: WatchBatch,
  { kind, matches }: FollowOptions<T>,
): Generator<ObjectEvent<T>> {
  for (const event of events) {
    if (parseKey(event.kv.key)?.plural !== kind.plural) continue;
    const { before, after } = sides(kind, event);
    // What came before may be compacted away: then it counts as seen, because a change told twice harms nobody.
    const was = before === undefined ? wasThere(event) : matches(before);
    const is = after !== undefined && matches(after);
    if (is) yield { type: was ? "modified" : "added", object: after, revision };
    else if (was) yield { type: "deleted", object: asDeleted(kind, event, before ?? after), revision };
  }
}

const wasThere = ({ type, kv }: StoreEvent): boolean => type === "delete" || kv.version > 1;

function sides<T extends HostObject>(
  kind: Kind<T>,
  { type, kv, prevKv }: StoreEvent,
): { readonly before: T | undefined; readonly after: T | undefined } {
  return {
    before: prevKv && decodeObject(kind, prevKv),
    after: type === "put" ? decodeObject(kind, kv) : undefined,
  };
}

/** As it last was, at the revision of its end; of one that is not known any more, its name. */
function asDeleted<T extends HostObject>({ schema }: Kind<T>, { kv }: StoreEvent, known: T | undefined): T {
  const { place } = parseKey(kv.key) ?? {};
  const object: T = known ?? create(schema);
  object.metadata ??= create(ObjectMetaSchema, place);
  object.metadata.resourceVersion = BigInt(kv.modRevision);
  return object;
}
