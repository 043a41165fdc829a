import type { MaglevTable } from "../table/table.ts";
import { countSlots } from "./evenness.ts";

/** One backend's part in a change. */
export interface BackendChange {
  readonly name: string;
  readonly slotsBefore: number;
  readonly slotsAfter: number;
}

/** What changes for traffic when one table replaces another. */
export interface DisruptionReport {
  readonly size: number;
  /** Slots that changed their backend. */
  readonly moved: number;
  /** Moved slots whose backend has no slot any more: unavoidable. */
  readonly movedFromRemoved: number;
  /** Moved slots whose new backend had none before: unavoidable. */
  readonly movedToAdded: number;
  /** Slots that moved although old and new backend are in both tables: the price of even shares. */
  readonly movedBetweenKept: number;
  /** moved ÷ size, 0–1 */
  readonly movedFraction: number;
  /** movedBetweenKept ÷ size, 0–1 */
  readonly disruptedFraction: number;
  /** The backends whose number of slots changed, in the order of names. */
  readonly changes: readonly BackendChange[];
}

/** Every backend name of both tables on a common number, so that slots compare by name. */
class CommonNames {
  readonly names: string[] = [];
  readonly #numbers = new Map<string, number>();

  /** For each backend of the table its common number. */
  numbersOf(table: MaglevTable): Int32Array {
    return Int32Array.from(table.backends, ({ name }) => this.#numberOf(name));
  }

  #numberOf(name: string): number {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    this.#numbers.set(name, this.names.length);
    return this.names.push(name) - 1;
  }
}

function spread(values: Uint32Array, numbers: Int32Array, length: number): Uint32Array {
  const result = new Uint32Array(length);
  for (const [index, number] of numbers.entries()) result[number] = values[index] as number;
  return result;
}

function ownerAt(table: MaglevTable, slot: number, numbers: Int32Array): number {
  return table.isEmpty ? -1 : (numbers[table.slots[slot] as number] as number);
}

/**
 * Compares two tables of one size, by backend name.
 * @throws RangeError for tables of different sizes: nearly every flow moves then, and slots don't correspond
 */
export function compare(before: MaglevTable, after: MaglevTable): DisruptionReport {
  if (before.size !== after.size) {
    throw new RangeError(
      `Cannot compare a table of ${before.size} slots with one of ${after.size}: sizes must be equal`,
    );
  }
  const common = new CommonNames();
  const numbersBefore = common.numbersOf(before);
  const numbersAfter = common.numbersOf(after);
  const slotsBefore = spread(countSlots(before), numbersBefore, common.names.length);
  const slotsAfter = spread(countSlots(after), numbersAfter, common.names.length);
  let [moved, movedFromRemoved, movedToAdded] = [0, 0, 0];
  for (let slot = 0; slot < before.size; slot++) {
    const from = ownerAt(before, slot, numbersBefore);
    const to = ownerAt(after, slot, numbersAfter);
    if (from === to) continue;
    moved++;
    if (from >= 0 && slotsAfter[from] === 0) movedFromRemoved++;
    else if (from < 0 || slotsBefore[to] === 0) movedToAdded++;
  }
  const movedBetweenKept = moved - movedFromRemoved - movedToAdded;
  const changes = common.names
    .map((name, i) => ({ name, slotsBefore: slotsBefore[i] as number, slotsAfter: slotsAfter[i] as number }))
    .filter((change) => change.slotsBefore !== change.slotsAfter)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return {
    size: before.size,
    moved,
    movedFromRemoved,
    movedToAdded,
    movedBetweenKept,
    movedFraction: moved / before.size,
    disruptedFraction: movedBetweenKept / before.size,
    changes,
  };
}
