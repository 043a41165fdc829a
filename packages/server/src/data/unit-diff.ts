import type { Unit } from "../snapshot/snapshot.ts";

/** What differs between two sets of units. */
export interface UnitDiff {
  /** New, or another object than before. */
  readonly changed: readonly Unit[];
  /** Load balancer ids. */
  readonly removed: readonly string[];
}

/** Compares by identity: a unit that did not change is the same object. */
export function diffUnits(before: ReadonlyMap<string, Unit>, after: ReadonlyMap<string, Unit>): UnitDiff {
  const changed = [...after.values()].filter((unit) => before.get(unit.loadBalancerId) !== unit);
  const removed = [...before.keys()].filter((id) => !after.has(id));
  return { changed, removed };
}
