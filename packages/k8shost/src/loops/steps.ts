import { clone } from "@bufbuild/protobuf";
import type { Deployment, Node, Pod } from "@fiberlb/api/k8shost";
import { DomainError } from "@fiberlb/types";

import type { Clock } from "../clock.ts";
import type { ObjectCache } from "../objects/cache.ts";
import { type HostObject, metaOf } from "../objects/kinds.ts";
import type { ObjectStore } from "../objects/object-store.ts";
import type { Resources } from "../objects/resources.ts";

/** What the loops work with. */
export interface LoopParts {
  readonly cache: ObjectCache;
  readonly objects: ObjectStore;
  readonly pods: Resources<Pod>;
  readonly nodes: Resources<Node>;
  readonly deployments: Resources<Deployment>;
  readonly clock: Clock;
}

/** Writes of one run at once: a store commits those together that come together. */
const CONCURRENCY = 32;

/** Does all, some at once. Each failure ends the whole after those under way. */
export async function forAll<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  for (let start = 0; start < items.length; start += CONCURRENCY)
    await Promise.all(items.slice(start, start + CONCURRENCY).map(act));
}

/**
 * Writes an object as the view has it, changed, and waits until the view has the change. Does nothing when somebody else has
 * written it meanwhile: the next run sees what.
 */
export async function writeFromView<T extends HostObject>(
  { objects, cache }: Pick<LoopParts, "objects" | "cache">,
  resources: Resources<T>,
  { object, edit }: { readonly object: T; readonly edit: (copy: T) => void },
): Promise<void> {
  const copy = clone(resources.kind.schema, object);
  edit(copy);
  const written = await objects.replace(resources.kind, copy);
  if (written !== undefined) await cache.reached(Number(metaOf(written).resourceVersion));
}

/** Ends a Pod that may be gone, or another one, by now, and waits until the view has it. */
export async function removeIfThere(
  { pods, cache }: Pick<LoopParts, "pods" | "cache">,
  pod: Pod,
  edit: (copy: Pod) => void = () => undefined,
): Promise<void> {
  try {
    const ended = await pods.remove(metaOf(pod), { uid: metaOf(pod).uid, edit });
    await cache.reached(Number(metaOf(ended).resourceVersion));
  } catch (error) {
    const isGone = error instanceof DomainError && (error.kind === "not-found" || error.kind === "aborted");
    if (!isGone) throw error;
  }
}
