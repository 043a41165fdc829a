import type { HandlerContext } from "@connectrpc/connect";
import { type LabelSelector, WatchEventType } from "@fiberlb/api/k8shost";
import { isStoreError } from "@fiberlb/store";
import { invalid } from "@fiberlb/types";

import { checkSelector } from "../checks/meta.ts";
import { checkLabelName } from "../checks/names.ts";
import { Violations } from "../checks/violations.ts";
import type { Clock } from "../clock.ts";
import type { Scope } from "../objects/keys.ts";
import { type HostObject, type Kind, metaOf } from "../objects/kinds.ts";
import { decodePageToken, encodePageToken, pageSizeOf } from "../objects/lists.ts";
import type { ObjectStore } from "../objects/object-store.ts";
import { outOfHistory } from "../objects/refusals.ts";
import { matchesSelector } from "../objects/selector.ts";
import { follow } from "../objects/watch.ts";
import { callerOf, requireAdmin } from "./caller.ts";

/** What List and Watch ask for; a kind without tenants has the selector only. */
export interface Query {
  readonly namespace?: string;
  readonly labelSelector?: LabelSelector | undefined;
  readonly nodeName?: string;
  readonly allTenants?: boolean;
}

/** What reads go by. */
export interface ReadOptions {
  readonly objects: ObjectStore;
  readonly clock: Clock;
}

interface Wanted<T> {
  readonly scope: Scope;
  readonly matches: (object: T) => boolean;
}

type Spec = { readonly spec?: { readonly nodeName?: string } | undefined };

/** @throws DomainError `invalid`, `permission-denied` */
function wantedOf<T extends HostObject>(kind: Kind<T>, query: Query, context: HandlerContext): Wanted<T> {
  const { namespace = "", labelSelector, nodeName = "", allTenants = false } = query;
  const to = new Violations();
  if (namespace !== "") checkLabelName(namespace, "namespace", to);
  checkSelector(labelSelector, "label_selector", to);
  if (to.all.length > 0) throw invalid(to.all);
  if (allTenants) requireAdmin(context, "read the objects of all tenants");
  const { orgId, projectId } = callerOf(context);
  const inNamespace = namespace === "" ? {} : { namespace };
  return {
    scope: allTenants || kind.plural === "nodes" ? {} : { orgId, projectId, ...inNamespace },
    matches(object) {
      const meta = metaOf(object);
      if (namespace !== "" && meta.namespace !== namespace) return false;
      if (nodeName !== "" && (object as Spec).spec?.nodeName !== nodeName) return false;
      return matchesSelector(labelSelector, meta.labels);
    },
  };
}

/** A page of a list; every page of it is as of the same revision. */
export async function listObjects<T extends HostObject>(
  kind: Kind<T>,
  request: Query & { readonly pageSize: number; readonly pageToken: string },
  { objects, context }: ReadOptions & { readonly context: HandlerContext },
): Promise<{ readonly objects: T[]; readonly nextPageToken: string; readonly resourceVersion: bigint }> {
  const { pageSize, pageToken, ...query } = request;
  const { scope, matches } = wantedOf(kind, query, context);
  const limit = pageSizeOf(pageSize);
  const { orgId, projectId } = callerOf(context);
  const { namespace, labelSelector, nodeName, allTenants } = query;
  const selector = [labelSelector?.matchLabels, labelSelector?.matchExpressions];
  const question = JSON.stringify([orgId, projectId, kind.plural, namespace, selector, nodeName, allTenants]);
  const position = decodePageToken(pageToken, { kind, scope, question });
  const page = await objects
    .page(kind, scope, { limit, matches, afterKey: position?.afterKey, revision: position?.revision })
    .catch((error: unknown) => {
      throw historyError(error, BigInt(position?.revision ?? 0));
    });
  const { lastKey, revision } = page;
  return {
    objects: [...page.objects],
    nextPageToken: lastKey === undefined ? "" : encodePageToken({ afterKey: lastKey, revision }, question),
    resourceVersion: BigInt(revision),
  };
}

const TYPES = {
  added: WatchEventType.ADDED,
  modified: WatchEventType.MODIFIED,
  deleted: WatchEventType.DELETED,
  bookmark: WatchEventType.BOOKMARK,
} as const;

/** Changes after a resource version, until the client leaves or the server stops. */
export async function* watchObjects<T extends HostObject>(
  kind: Kind<T>,
  { resourceVersion, ...query }: Query & { readonly resourceVersion: bigint },
  { objects, clock, context }: ReadOptions & { readonly context: HandlerContext },
): AsyncGenerator<{ readonly type: WatchEventType; readonly object: T | undefined; readonly resourceVersion: bigint }> {
  const wanted = wantedOf(kind, query, context);
  const { revision } = await objects.store.status();
  if (resourceVersion > BigInt(revision))
    throw outOfHistory(resourceVersion, `has not been reached: the store is at ${revision}`);
  const afterRevision = Number(resourceVersion);
  try {
    for await (const event of follow(objects, { kind, ...wanted, afterRevision, signal: context.signal, clock })) {
      const object = event.type === "bookmark" ? undefined : event.object;
      yield { type: TYPES[event.type], object, resourceVersion: BigInt(event.revision) };
    }
  } catch (error) {
    throw historyError(error, resourceVersion);
  }
}

function historyError(error: unknown, resourceVersion: bigint): unknown {
  if (isStoreError(error, "COMPACTED"))
    return outOfHistory(resourceVersion, `is too old: the history begins after ${error.compactRevision}`);
  if (isStoreError(error, "FUTURE_REVISION")) return outOfHistory(resourceVersion, "has not been reached");
  return error;
}
