import type { Cidr } from "@fiberlb/types";

import { diffRoutes, nextChanges, noChanges, type PathTable, type RouteChanges } from "./diff.ts";
import type { Path } from "./path.ts";

/** A route that the daemon would not take. */
export interface RefusedPath {
  readonly path: Path;
  readonly reason: string;
}

/**
 * What is wanted and what the daemon holds of ours. Does nothing by itself: whoever speaks with the daemon asks for the next
 * changes and tells what came of them.
 */
export class RouteBook {
  /** Undefined until the first announcement: what an earlier process left in the daemon stays until we know better. */
  #desired: PathTable | undefined;
  #held = new Map<Cidr, Path>();
  /** Whether `#held` is what the daemon said, and not what it was before the connection was lost. */
  #known = false;
  #refused = new Map<Cidr, RefusedPath>();
  /** What is left to do; made anew after something else than our own changes. */
  #plan: RouteChanges | undefined;
  /** Prefixes that we changed while a listing was under way: it may tell of them as they were before. */
  #changedSinceListing: Set<Cidr> | undefined;

  get desiredCount(): number {
    return this.#desired?.size ?? 0;
  }

  get heldCount(): number {
    return this.#held.size;
  }

  /** Whether the daemon has told what it holds. */
  get isKnown(): boolean {
    return this.#known;
  }

  /** Routes that the daemon would not take; tried again after every listing. */
  get refused(): readonly RefusedPath[] {
    return [...this.#refused.values()];
  }

  isDesired(prefix: Cidr): boolean {
    return this.#desired?.has(prefix) === true;
  }

  setDesired(desired: PathTable): void {
    this.#desired = desired;
    this.#refused.clear();
    this.#plan = undefined;
  }

  /** The connection is lost: nothing is known until the next listing. */
  forget(): void {
    this.#held.clear();
    this.#known = false;
    this.#refused.clear();
    this.#plan = undefined;
    this.#changedSinceListing = undefined;
  }

  /** Before the daemon is asked what it holds. */
  beginListing(): void {
    this.#changedSinceListing = new Set();
  }

  /** What the daemon said it holds of ours. */
  endListing(listed: readonly Path[]): void {
    const changed = this.#changedSinceListing ?? new Set();
    const old = this.#held;
    this.#held = new Map(listed.map((path) => [path.prefix, path]));
    for (const prefix of changed) {
      const path = old.get(prefix);
      if (path === undefined) this.#held.delete(prefix);
      else this.#held.set(prefix, path);
    }
    this.#known = true;
    this.#refused.clear();
    this.#plan = undefined;
    this.#changedSinceListing = undefined;
  }

  /** Up to `atMost` changes, withdrawals first; undefined when nothing is to be done or nothing is known yet. */
  next(atMost: number): RouteChanges | undefined {
    if (!this.#known || this.#desired === undefined) return undefined;
    this.#plan ??= this.#planAll(this.#desired);
    const changes = nextChanges(this.#plan, atMost);
    return noChanges(changes) ? undefined : changes;
  }

  /** The daemon took them. */
  applied({ withdraw, add }: RouteChanges): void {
    for (const { prefix } of withdraw) this.#held.delete(prefix);
    for (const path of add) this.#held.set(path.prefix, path);
    this.#settle({ withdraw, add });
  }

  /** The daemon would not take this one. */
  refuse(refused: RefusedPath): void {
    if (this.#desired?.get(refused.path.prefix) !== refused.path) return; // no longer wanted, or as something else
    this.#refused.set(refused.path.prefix, refused);
    this.#settle({ withdraw: [], add: [refused.path] });
  }

  #planAll(desired: PathTable): RouteChanges {
    const { withdraw, add } = diffRoutes(desired, this.#held);
    return { withdraw, add: add.filter(({ prefix }) => !this.#refused.has(prefix)) };
  }

  #settle({ withdraw, add }: RouteChanges): void {
    const done = new Set([...withdraw, ...add].map(({ prefix }) => prefix));
    for (const prefix of done) this.#changedSinceListing?.add(prefix);
    if (this.#plan === undefined) return; // made anew while these were under way
    this.#plan = {
      withdraw: this.#plan.withdraw.filter(({ prefix }) => !done.has(prefix)),
      add: this.#plan.add.filter(({ prefix }) => !done.has(prefix)),
    };
  }
}
