import { scale } from "../hash/jhash.ts";
import { createSlots } from "./slots.ts";
import type { AllocateSlots, SlotArray } from "./slots.ts";
import { MaglevTable } from "./table.ts";

/** What {@link successor} needs beside the slot. */
export interface Succession {
  /** Slots of the table of all backends, usable or not. */
  readonly slots: SlotArray;
  /** How many backends that table has. */
  readonly backendCount: number;
  /** Whether the backend of that index gets traffic now. Must be false for one of weight 0. */
  readonly isUsable: (index: number) => boolean;
}

/** How far a slot looks along its walk. Nine of ten backends must be down before one slot in a thousand finds nobody. */
const PROBES = 64;

/**
 * Who takes a slot while its backend is unusable: the first usable backend along a walk over the table that is the
 * slot's own. The walk depends on the table alone, never on who was down before. So when a backend goes, only its own
 * slots move, when it is back they return, and everybody who knows the table and who is usable agrees. As the walk
 * meets backends in proportion to their slots, the slots of one that goes are shared by weight.
 *
 * A walk that meets nobody in 64 steps ends, and the slot ranks the usable backends themselves: so a slot costs
 * little even when hardly anybody is left.
 *
 * @returns index of the backend, the slot's own if that one is usable; -1 if none is
 */
export function successor(slot: number, { slots, backendCount, isUsable }: Succession): number {
  const size = slots.length;
  const owner = slots[slot] as number;
  if (isUsable(owner)) return owner;
  const step = 1 + scale(mix(slot), size - 1);
  let at = slot;
  for (let probe = Math.min(PROBES, size); probe > 0; probe--) {
    at += step;
    if (at >= size) at -= size;
    const index = slots[at] as number;
    if (isUsable(index)) return index;
  }
  return highestRanked(slot, { backendCount, isUsable });
}

/** Rendezvous: each slot ranks all backends in its own order, and takes the first that is usable. */
function highestRanked(slot: number, { backendCount, isUsable }: Omit<Succession, "slots">): number {
  const salt = mix(slot ^ 0x9e3779b9);
  let best = -1;
  let highest = -1;
  for (let index = 0; index < backendCount; index++) {
    if (!isUsable(index)) continue;
    const rank = mix(salt ^ mix(index));
    if (rank <= highest) continue;
    highest = rank;
    best = index;
  }
  return best;
}

/** MurmurHash3's finaliser: every input bit reaches every output bit. */
function mix(word: number): number {
  let mixed = word ^ (word >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/**
 * The table in which every slot of an unusable backend is its {@link successor}'s; all others stay. The unusable ones
 * are listed with weight 0. From the table of all backends and who is usable it follows alone, so that several makers
 * agree whatever order verdicts came in; made from another such table it would not.
 *
 * @param table of all backends
 * @param isUsable whether the backend of that name gets traffic now
 */
export function withUsable(
  table: MaglevTable,
  isUsable: (name: string) => boolean,
  { allocate }: { readonly allocate?: AllocateSlots } = {},
): MaglevTable {
  const backends = table.backends.map((backend) =>
    backend.weight === 0 || isUsable(backend.name) ? backend : Object.freeze({ ...backend, weight: 0 }),
  );
  const backendCount = backends.length;
  const usable = Uint8Array.from(backends, ({ weight }) => Number(weight > 0));
  const slots = createSlots(table.size, backendCount, allocate);
  if (!usable.includes(1)) return new MaglevTable(slots, backends);
  const succession = { slots: table.slots, backendCount, isUsable: (index: number): boolean => usable[index] === 1 };
  for (let slot = 0; slot < table.size; slot++) slots[slot] = successor(slot, succession);
  return new MaglevTable(slots, backends);
}
