import type { MaglevTable } from "../table/table.ts";

/** How evenly a table spreads its slots. Counts are of slots, over backends with a weight above 0. */
export interface EvennessReport {
  /** Slots of each backend, in the order of `table.backends`. */
  readonly slotCounts: Uint32Array;
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  /** Most loaded ÷ mean: how much of the capacity must be kept spare (the paper's over-provisioning factor). */
  readonly peakToMean: number;
  /** The largest distance of a backend from its share by weight, in slots. */
  readonly worstDeviation: number;
}

/** The slots of each backend, in the order of `table.backends`. */
export function countSlots(table: MaglevTable): Uint32Array {
  const counts = new Uint32Array(table.backends.length);
  if (table.isEmpty) return counts;
  for (const index of table.slots) counts[index] = (counts[index] as number) + 1;
  return counts;
}

/** Measures how evenly a table spreads its slots; all zero for an empty table. */
export function evenness(table: MaglevTable): EvennessReport {
  const slotCounts = countSlots(table);
  if (table.isEmpty) return { slotCounts, min: 0, max: 0, mean: 0, peakToMean: 0, worstDeviation: 0 };
  const totalWeight = table.backends.reduce((sum, { weight }) => sum + weight, 0);
  let [usable, min, max, worstDeviation] = [0, table.size, 0, 0];
  for (const [index, { weight }] of table.backends.entries()) {
    if (weight === 0) continue;
    const count = slotCounts[index] as number;
    usable++;
    min = Math.min(min, count);
    max = Math.max(max, count);
    worstDeviation = Math.max(worstDeviation, Math.abs(count - (table.size * weight) / totalWeight));
  }
  const mean = table.size / usable;
  return { slotCounts, min, max, mean, peakToMean: max / mean, worstDeviation };
}
