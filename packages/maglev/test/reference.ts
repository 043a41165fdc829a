// The paper's algorithm, written as plainly as possible: what the optimized library must equal slot by slot.
import type { Backend, MaglevTable, PermutationOf } from "../src/index.ts";
import { compareNames, envoyPermutation } from "../src/index.ts";

/** §3.4, pseudocode 1, over backends of equal weight. Slots hold names. */
export function referenceTable(names: readonly string[], size: number, permutation = envoyPermutation): string[] {
  const slots: (string | undefined)[] = Array.from({ length: size });
  const sorted = names.toSorted(compareNames);
  const next = new Map(sorted.map((name) => [name, 0]));
  for (let filled = 0; filled < size; filled++) {
    const name = sorted[filled % sorted.length] as string;
    const { offset, skip } = permutation(name, size);
    let slot: number;
    do {
      const j = next.get(name) as number;
      next.set(name, j + 1);
      slot = (offset + j * skip) % size;
    } while (slots[slot] !== undefined);
    slots[slot] = name;
  }
  return slots as string[];
}

/** `backend-0` … of weight 1. */
export function numbered(count: number): Backend[] {
  return Array.from({ length: count }, (_, i) => ({ name: `backend-${i}` }));
}

/** A permutation by name from a list, for worked examples. */
export function fixedPermutations(list: Record<string, { offset: number; skip: number }>): PermutationOf {
  return (name) => list[name] ?? { offset: 0, skip: 1 };
}

/** The slots as one string: compares in microseconds where a matcher walks 65,537 elements for a second. */
export function slotsOf(table: MaglevTable): string {
  return table.slots.join();
}

/** The names behind the slots as one string, each in quotes. */
export function ownersOf(table: MaglevTable): string {
  return JSON.stringify(Array.from(table.slots, (index) => table.backends[index]?.name));
}
