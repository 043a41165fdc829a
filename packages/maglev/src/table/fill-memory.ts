import type { WeighedBackend } from "../backend.ts";
import type { Fill, Gain } from "./insertions.ts";

/** A fill, and whom it was for: it can be repeated, or the next one started from it. */
export interface RememberedFill extends Fill {
  readonly backends: readonly WeighedBackend[];
}

/** Two, so that a backend that flaps costs one fill: the set with it and the set without it are both remembered. */
const REMEMBERED_FILLS = 2;

/** The last two fills: four bytes a slot each, eight where weights differ. */
export class FillMemory {
  #fills: readonly RememberedFill[] = [];

  remember(fill: RememberedFill): void {
    this.#fills = [fill, ...this.#fills.filter((each) => each !== fill)].slice(0, REMEMBERED_FILLS);
  }

  /** The fill of the same backends; where they take turns evenly, of the same names. */
  same(backends: readonly WeighedBackend[], isEven: boolean): RememberedFill | undefined {
    return this.#fills.find(
      (fill) =>
        (fill.turns === undefined) === isEven &&
        fill.backends.length === backends.length &&
        fill.backends.every((backend, i) => isSame(backend, backends[i], isEven)),
    );
  }

  /** The fills in which one of these backends was missing or had another weight, and which that is. */
  *similar(backends: readonly WeighedBackend[]): Iterable<{ readonly fill: RememberedFill; readonly gain: Gain }> {
    for (const fill of this.#fills) {
      const gain = gainBetween(fill.backends, backends);
      if (gain !== undefined) yield { fill, gain };
    }
  }
}

function isSame(a: WeighedBackend, b: WeighedBackend | undefined, ignoresWeight: boolean): boolean {
  return a.name === b?.name && (ignoresWeight || a.weight === b.weight);
}

/** The one backend that was added or weighs otherwise, if that is the only difference. */
function gainBetween(before: readonly WeighedBackend[], after: readonly WeighedBackend[]): Gain | undefined {
  const isNew = after.length === before.length + 1;
  if (!isNew && after.length !== before.length) return undefined;
  let position = 0;
  while (position < before.length && isSame(before[position] as WeighedBackend, after[position], false)) position++;
  if (!isNew && before[position]?.name !== after[position]?.name) return undefined;
  const shift = Number(isNew);
  for (let i = position + 1 - shift; i < before.length; i++) {
    if (!isSame(before[i] as WeighedBackend, after[i + shift], false)) return undefined;
  }
  return { position, isNew };
}
