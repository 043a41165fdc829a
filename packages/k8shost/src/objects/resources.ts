import { clone, equals, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Condition, ObjectMeta } from "@fiberlb/api/k8shost";
import type { Random } from "@fiberlb/k8shost-controller";
import { invalid } from "@fiberlb/types";

import { checkMeta, type NameRule } from "../checks/meta.ts";
import { Violations } from "../checks/violations.ts";
import type { Clock } from "../clock.ts";
import type { Place } from "./keys.ts";
import { type HostObject, type Kind, metaOf } from "./kinds.ts";
import { DEFAULT_NAMESPACE, newMeta, settledConditions } from "./life.ts";
import type { ObjectStore } from "./object-store.ts";
import { changedMeanwhile, missing, otherUid, taken } from "./refusals.ts";
import type { Rules } from "./rules.ts";

/** An object with the parts that clients may write. */
export type Resource = HostObject & {
  spec?: object | undefined;
  status?: { conditions: Condition[] } | undefined;
};

/** Whose objects a call is about. */
export interface Tenancy {
  readonly orgId: string;
  readonly projectId: string;
}

/** What the objects of one kind are made of. */
export interface ResourcesOptions<T extends Resource> {
  readonly kind: Kind<T>;
  readonly rules: Rules<T>;
  readonly nameRule: NameRule["name"];
  readonly objects: ObjectStore;
  readonly clock: Clock;
  readonly random: Random;
}

/** Largest object, in bytes: far below what a value of the store may have. */
const MAX_OBJECT_BYTES = 256 * 1024;
/** Of one write, when others write the same object or take what it asks for. */
const MAX_TRIES = 20;

const WRITABLE = ["spec", "status", "metadata.labels", "metadata.annotations", "metadata.finalizers"] as const;
type Writable = (typeof WRITABLE)[number];

/** Creates, changes and ends the objects of one kind, whoever asks: the API's services and the loops of the host. */
export class Resources<T extends Resource> {
  readonly kind: Kind<T>;
  readonly #options: ResourcesOptions<T>;

  constructor(options: ResourcesOptions<T>) {
    this.kind = options.kind;
    this.#options = options;
  }

  /** @throws DomainError `not-found` */
  async get(place: Place): Promise<T> {
    const found = await this.#options.objects.get(this.kind, withNamespace(place));
    if (found === undefined) throw missing(this.kind, withNamespace(place));
    return found;
  }

  /** @throws DomainError `invalid`, `already-exists`, `exhausted` */
  async create(asked: T | undefined, owner: Tenancy): Promise<T> {
    const { kind, objects, rules, clock, random } = this.#options;
    if (asked === undefined) throw invalid([{ field: kind.field, reason: "REQUIRED", description: "is required" }]);
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const object = clone(kind.schema, asked);
      object.metadata = newMeta(asked.metadata, { uid: random.uuid(), epochMs: clock.epochMs(), owner });
      if (kind.plural === "nodes") object.metadata.namespace = "";
      this.#check(object, undefined);
      await rules.complete?.(object);
      const created = await objects.create(kind, object, rules.beside?.(undefined, object));
      if (created !== undefined) return created;
      if ((await objects.get(kind, object.metadata)) !== undefined) throw taken(kind, object.metadata);
      await rules.explainConflict?.(asked);
    }
    throw new Error(`Cannot create ${kind.label}: ${MAX_TRIES} tries met others that took the same`);
  }

  /**
   * Changes what the mask names, or what is there. With a resource version it happens to that version or not at all.
   * @throws DomainError `invalid`, `not-found`, `aborted`
   */
  async update(asked: T | undefined, { owner, mask }: { owner: Tenancy; mask: readonly string[] }): Promise<T> {
    const { kind } = this;
    if (asked?.metadata === undefined)
      throw invalid([{ field: `${kind.field}.metadata`, reason: "REQUIRED", description: "is required" }]);
    const meta = asked.metadata;
    const paths = writablePaths(asked, mask);
    return this.change(
      { ...owner, namespace: meta.namespace, name: meta.name },
      (object) => applyPaths(object, asked, paths),
      { sent: meta.resourceVersion, uid: meta.uid },
    );
  }

  /**
   * Reads, changes and writes, again when others wrote in between, unless `sent` says which version is meant. Writes nothing
   * when nothing changes.
   */
  async change(
    place: Place,
    edit: (object: T) => void,
    { sent = 0n, uid = "" }: { readonly sent?: bigint; readonly uid?: string } = {},
  ): Promise<T> {
    const { rules } = this.#options;
    for (let tries = 0; ; tries++) {
      const before = await this.get(place);
      const was = metaOf(before);
      if (sent !== 0n && was.resourceVersion !== sent) throw changedMeanwhile(this.kind, before, sent);
      if (uid !== "" && was.uid !== uid) throw otherUid(this.kind, before, uid);
      const after = clone(this.kind.schema, before);
      edit(after);
      this.#check(after, before);
      const isGone = this.#isGone(after);
      if (!isGone && equals(this.kind.schema, before, after)) return before;
      const asked = clone(this.kind.schema, after);
      await rules.complete?.(after);
      const written = await this.#write(before, after, isGone);
      if (written !== undefined) return written;
      const current = await this.get(place);
      if (tries >= MAX_TRIES) throw changedMeanwhile(this.kind, current, sent);
      // The object is as it was, so it was not another writer of it.
      if (metaOf(current).resourceVersion === was.resourceVersion) await rules.explainConflict?.(asked);
    }
  }

  async #write(before: T, after: T, isGone: boolean): Promise<T | undefined> {
    const { objects, rules } = this.#options;
    if (!isGone) return objects.replace(this.kind, after, rules.beside?.(before, after));
    const revision = await objects.remove(this.kind, after, rules.beside?.(before, undefined));
    if (revision === undefined) return undefined;
    metaOf(after).resourceVersion = BigInt(revision);
    return after;
  }

  /**
   * Marks the object, and removes it when nothing holds it; answers it as it is now, or last was at the revision of its end.
   * @throws DomainError `not-found`, `aborted`
   */
  remove(place: Place, { uid = "", edit }: { uid?: string; edit?: (object: T) => void } = {}): Promise<T> {
    return this.change(
      place,
      (object) => {
        metaOf(object).deletionTimestamp ??= timestampFromMs(this.#options.clock.epochMs());
        edit?.(object);
      },
      { uid },
    );
  }

  #isGone(object: T): boolean {
    const { deletionTimestamp, finalizers } = metaOf(object);
    if (deletionTimestamp === undefined || finalizers.length > 0) return false;
    return this.#options.rules.mayGo?.(object, this.#options.clock.epochMs()) ?? true;
  }

  /** Fills in what follows from the rest, then looks for everything that is wrong. */
  #check(object: T, before: T | undefined): void {
    const { rules, nameRule, clock, kind } = this.#options;
    const to = new Violations();
    const meta = metaOf(object);
    if (before !== undefined) checkFinalizers(metaOf(before), meta, { field: `${kind.field}.metadata`, to });
    rules.prepare(object, { before, to });
    checkMeta(meta, `${kind.field}.metadata`, { to, rule: { name: nameRule, hasNamespace: kind.plural !== "nodes" } });
    rules.check(object, { before, to });
    const bytes = toBinary(kind.schema, object).length;
    if (bytes > MAX_OBJECT_BYTES)
      to.add(kind.field, "TOO_LONG", `must have at most ${MAX_OBJECT_BYTES} bytes, not ${bytes}`);
    if (to.all.length > 0) throw invalid(to.all);
    if (object.status !== undefined) {
      const known = before?.status?.conditions ?? [];
      object.status.conditions = settledConditions(known, object.status.conditions, clock.epochMs());
    }
    if (before !== undefined && !rules.isSameSpec(before, object)) meta.generation += 1n;
  }
}

export const withNamespace = (place: Place): Place =>
  place.namespace === "" ? { ...place, namespace: DEFAULT_NAMESPACE } : place;

function checkFinalizers(
  before: ObjectMeta,
  after: ObjectMeta,
  { field, to }: { readonly field: string; readonly to: Violations },
): void {
  if (before.deletionTimestamp === undefined) return;
  const added = after.finalizers.filter((name) => !before.finalizers.includes(name));
  if (added.length > 0)
    to.add(`${field}.finalizers`, "NOT_ALLOWED", `cannot get ${added.join(", ")}: the object is being deleted`);
}

/** What an update writes. @throws DomainError `invalid` for a path that nobody may write */
function writablePaths(asked: Resource, mask: readonly string[]): readonly Writable[] {
  const { spec, status, metadata } = asked;
  if (mask.length > 0) {
    const isKnown = (path: string): path is Writable => (WRITABLE as readonly string[]).includes(path);
    const unknown = mask.filter((path) => !isKnown(path));
    if (unknown.length > 0) {
      const description = `must be of ${WRITABLE.join(", ")}, not ${unknown.join(", ")}`;
      throw invalid([{ field: "update_mask", reason: "NOT_ALLOWED", description }]);
    }
    return mask.filter(isKnown);
  }
  const given: Readonly<Record<Writable, boolean>> = {
    spec: spec !== undefined,
    status: status !== undefined,
    "metadata.labels": Object.keys(metadata?.labels ?? {}).length > 0,
    "metadata.annotations": Object.keys(metadata?.annotations ?? {}).length > 0,
    "metadata.finalizers": (metadata?.finalizers.length ?? 0) > 0,
  };
  return WRITABLE.filter((path) => given[path]);
}

function applyPaths(object: Resource, asked: Resource, paths: readonly Writable[]): void {
  const meta = metaOf(object);
  const { labels = {}, annotations = {}, finalizers = [] } = asked.metadata ?? {};
  for (const path of paths) {
    if (path === "spec") object.spec = asked.spec;
    else if (path === "status") object.status = asked.status;
    else if (path === "metadata.labels") meta.labels = { ...labels };
    else if (path === "metadata.annotations") meta.annotations = { ...annotations };
    else meta.finalizers = [...finalizers];
  }
}
