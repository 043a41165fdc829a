/**
 * What a table of ours holds, in parts that can be compared: one fragment for what is always there, and one a
 * load balancer. Plain data; `diff.ts` makes transactions of it.
 */

/** The table for what is translated. Nothing outside of our tables is ever touched. */
export const TABLE = "inet fiberlb";
/** The table for direct server return; see `netdev-hooks.ts`. */
export const NETDEV_TABLE = "netdev fiberlb";
/** Our tables. */
export type TableName = typeof TABLE | typeof NETDEV_TABLE;

/** A part of the table. No two parts have a set or chain of one name, or an element of one key, in common. */
export interface Fragment {
  /** Sets, maps and timeouts, by name. */
  readonly sets: ReadonlyMap<string, SetModel>;
  /** Chains, by name. */
  readonly chains: ReadonlyMap<string, ChainModel>;
  /** What it puts into sets of the base: by set, then by key, the data (empty text for sets). */
  readonly elements: ReadonlyMap<string, Keyed>;
}

/** Elements by key; the value is empty for those of a set. */
export type Keyed = ReadonlyMap<string, string>;

/** Elements that are numbered from 0: many slots that lead to few targets. */
export interface Slotted {
  /** Index into `targets`, by slot. */
  readonly slots: ArrayLike<number>;
  readonly targets: readonly string[];
}

/** A set or a map; or a timeout of conntrack, which is like a set that nothing is put into. */
export interface SetModel {
  readonly kind: "set" | "map" | "ct timeout";
  /** Between the braces of its declaration. A set whose declaration changes needs another name. */
  readonly declaration: string;
  /** Undefined: what is in it is not known, and is replaced whole. */
  readonly elements: Keyed | Slotted | undefined;
  /** Packets put elements in. What is in it is no business of ours, and stays over a restart of this process. */
  readonly isFilledByPackets?: boolean;
}

/** A chain. */
export interface ChainModel {
  /** `type … hook … priority …; policy …;` of a chain that the kernel calls; absent for those that rules jump to. */
  readonly hook?: string;
  /** Undefined: not known, replaced whole. */
  readonly rules: readonly string[] | undefined;
}

/** Holds nothing: what is there before the first load and after the last. */
export const EMPTY_FRAGMENT: Fragment = { sets: new Map(), chains: new Map(), elements: new Map() };

/** Whether a fragment holds nothing. */
export function isEmpty({ sets, chains, elements }: Fragment): boolean {
  return sets.size === 0 && chains.size === 0 && [...elements.values()].every(({ size }) => size === 0);
}

/** Whether elements are numbered. */
export function isSlotted(elements: Keyed | Slotted): elements is Slotted {
  return "slots" in elements;
}

/** How many elements a fragment has: what loading it costs, nearly. */
export function elementCount({ sets, elements }: Fragment): number {
  const own = [...sets.values()].map(({ elements: of }) => (of === undefined ? 0 : sizeOf(of)));
  return [...own, ...[...elements.values()].map(({ size }) => size)].reduce((sum, size) => sum + size, 0);
}

const sizeOf = (elements: Keyed | Slotted): number => (isSlotted(elements) ? elements.slots.length : elements.size);
