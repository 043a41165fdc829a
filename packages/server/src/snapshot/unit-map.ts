import type { Unit, Units } from "./snapshot.ts";

/** Enough that a part of 10,000 load balancers is copied in microseconds. */
const PARTS = 64;

/**
 * Units that never change, of which the next state shares all parts but those in which something changed: to make it, and
 * to find what differs, costs what changed, not what there is.
 */
export class UnitMap implements Units {
  /** Without a unit. */
  static readonly empty = new UnitMap(Array.from({ length: PARTS }, () => new Map<string, Unit>()));

  readonly parts: readonly ReadonlyMap<string, Unit>[];
  readonly size: number;

  private constructor(parts: readonly ReadonlyMap<string, Unit>[]) {
    this.parts = parts;
    this.size = parts.reduce((sum, part) => sum + part.size, 0);
  }

  /** The state after these changes, by load balancer id; undefined takes out. The same object when nothing differs. */
  with(changes: Iterable<readonly [id: string, unit: Unit | undefined]>): UnitMap {
    const parts = new Map<number, Map<string, Unit>>();
    for (const [id, unit] of changes) {
      const index = partOf(id);
      if ((parts.get(index) ?? this.parts[index])?.get(id) === unit) continue;
      const part = parts.get(index) ?? new Map(this.parts[index]);
      parts.set(index, part);
      if (unit === undefined) part.delete(id);
      else part.set(id, unit);
    }
    return parts.size === 0 ? this : new UnitMap(this.parts.map((part, index) => parts.get(index) ?? part));
  }

  get(id: string): Unit | undefined {
    return this.parts[partOf(id)]?.get(id);
  }

  has(id: string): boolean {
    return this.get(id) !== undefined;
  }

  *entries(): MapIterator<[string, Unit]> {
    for (const part of this.parts) yield* part;
  }

  *keys(): MapIterator<string> {
    for (const part of this.parts) yield* part.keys();
  }

  *values(): MapIterator<Unit> {
    for (const part of this.parts) yield* part.values();
  }

  [Symbol.iterator](): MapIterator<[string, Unit]> {
    return this.entries();
  }

  forEach(call: (unit: Unit, id: string, map: ReadonlyMap<string, Unit>) => void): void {
    for (const [id, unit] of this) call(unit, id, this);
  }
}

/** By the end of the id, where UUIDs are random. */
function partOf(id: string): number {
  const last = id.charCodeAt(id.length - 1) || 0;
  const beforeLast = id.charCodeAt(id.length - 2) || 0;
  return (last * 16 + beforeLast) % PARTS;
}
