import { compareNames, inTurnOrder } from "../backend.ts";
import type { Backend, NameOrder, WeighedBackend } from "../backend.ts";
import { scale } from "../hash/jhash.ts";
import { checkTableSize } from "../primes.ts";
import type { SlotArray } from "./slots.ts";

/**
 * A Maglev lookup table: which backend each of `size` slots belongs to. Immutable; a change makes a new table.
 * (A typed array cannot be frozen: whoever is given `slots` must not write to it.)
 */
export class MaglevTable {
  /** Number of slots, a prime. */
  readonly size: number;
  /** For each slot the index of its backend in {@link backends}; all ones in the table of an empty set. */
  readonly slots: SlotArray;
  /** All backends in turn order, also those of weight 0, which have no slot. */
  readonly backends: readonly WeighedBackend[];
  /** Whether no backend has a slot: the set was empty or every weight 0. */
  readonly isEmpty: boolean;

  constructor(slots: SlotArray, backends: readonly WeighedBackend[]) {
    this.size = slots.length;
    this.slots = slots;
    this.backends = Object.freeze(backends);
    this.isEmpty = !backends.some(({ weight }) => weight > 0);
    Object.freeze(this);
  }

  /**
   * The index of the backend for a hash, or -1 if the table is empty. The slot is `(hash × size) >> 32`, as in the
   * kernel's `jhash … mod size`.
   *
   * @param hash 32-bit integer, taken as unsigned
   */
  lookup(hash: number): number {
    return this.isEmpty ? -1 : (this.slots[scale(hash, this.size)] as number);
  }

  /**
   * As {@link lookup}, with the slot `hash mod size`, which Envoy, Cilium and Katran use.
   * @param hash a non-negative integer, for a 64-bit hash a bigint
   */
  lookupByRemainder(hash: number | bigint): number {
    if (this.isEmpty) return -1;
    const slot = typeof hash === "bigint" ? Number(hash % BigInt(this.size)) : hash % this.size;
    return this.slots[slot] as number;
  }

  /** The backend for a hash, or undefined if the table is empty. For hot paths use {@link lookup}. */
  backendFor(hash: number): WeighedBackend | undefined {
    return this.backends[this.lookup(hash)];
  }
}

/** What {@link tableFromSlots} needs beside the slots. */
export interface ViewOptions {
  /** Order in which the table was built, default {@link compareNames}. */
  readonly order?: NameOrder;
}

/**
 * A table over slots that exist already, for example those that another thread shared: nothing is copied or built.
 *
 * @param slots the `slots` of the original table; a typed array over a SharedArrayBuffer survives `postMessage`
 * @param backends the same backends that the table was built from, in any order
 * @throws RangeError if the slots are no prime number or one names a backend that has no slot in this set
 */
export function tableFromSlots(
  slots: SlotArray,
  backends: Iterable<Backend>,
  { order = compareNames }: ViewOptions = {},
): MaglevTable {
  checkTableSize(slots.length);
  const sorted = inTurnOrder(backends, order);
  const table = new MaglevTable(slots, sorted);
  if (table.isEmpty) return table;
  const stranger = slots.findIndex((index) => (sorted[index]?.weight ?? 0) === 0);
  if (stranger >= 0) {
    throw new RangeError(
      `Cannot view slots as a table of ${sorted.length} backends: slot ${stranger} holds ${slots[stranger]}, ` +
        "which is no backend with a weight; pass the backends that the table was built from",
    );
  }
  return table;
}
