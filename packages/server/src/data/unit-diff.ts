import type { Unit, Units } from "../snapshot/snapshot.ts";

/** What differs between two sets of units. */
export interface UnitDiff {
  /** New, or another object than before. */
  readonly changed: readonly Unit[];
  /** Load balancer ids. */
  readonly removed: readonly string[];
}

/** Compares by identity: a unit that did not change is the same object, and so may a part of many be. */
export function diffUnits(before: Units, after: Units): UnitDiff {
  if (before.parts === undefined || after.parts?.length !== before.parts.length) return diffPart(before, after);
  const diffs = before.parts.flatMap((part, index) => {
    const now = after.parts?.[index] as ReadonlyMap<string, Unit>;
    return now === part ? [] : [diffPart(part, now)];
  });
  return { changed: diffs.flatMap(({ changed }) => changed), removed: diffs.flatMap(({ removed }) => removed) };
}

function diffPart(before: ReadonlyMap<string, Unit>, after: ReadonlyMap<string, Unit>): UnitDiff {
  const changed = [...after.values()].filter((unit) => before.get(unit.loadBalancerId) !== unit);
  const removed = [...before.keys()].filter((id) => !after.has(id));
  return { changed, removed };
}
