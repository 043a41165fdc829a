/**
 * How the kernel chooses a backend of a pool: one rule that translates, one map of slots that it looks in.
 */
import { buildTable, chooseTableSize, type MaglevTable, type SlotArray, successor } from "@fiberlb/maglev";

import type { BackendUnit, MaglevTableUnit, PoolUnit } from "../../../snapshot/snapshot.ts";
import { tableMembers } from "../../rotation.ts";
import { scheduleTurns } from "../../select/turn-schedule.ts";
import type { FamilyWords, Transport } from "./family.ts";
import type { Slotted } from "./fragment.ts";

/** A pool and who of it may get new connections now. */
export interface PoolState {
  readonly pool: PoolUnit;
  /** In the pool's order; see `rotation.ts`. */
  readonly active: readonly BackendUnit[];
  /** Of a pool with a Maglev unit: of all its backends, those that are not active included. */
  readonly table?: MaglevTableUnit | undefined;
}

/** What a pool's chain does with the first packet of a connection. */
export interface PoolChoice {
  /** Expression that gives a slot. */
  readonly expression: string;
  readonly elements: Slotted;
}

/**
 * nft cannot declare the key of a map as a plain number of 32 bits, only as the type of an expression. Declared as the
 * type of a `jhash`, which would be the obvious one, `nft list` of 1.0.6 crashes.
 */
export const slotMapDeclaration = ({ family: { ip }, transport }: Where): string =>
  `typeof numgen inc mod 65536 : ${ip} daddr . ${transport} dport;`;

/** What the packets are that a pool gets: those of its load balancer's family and its own protocol. */
export interface Where {
  readonly family: FamilyWords;
  readonly transport: Transport;
}

/** Nobody is there: every look-up misses. */
const NOBODY: Slotted = { slots: [], targets: [] };

/** How the pool chooses. While it has nobody to choose the map is empty, and the rule does not match. */
export function poolChoice(state: PoolState, where: Where): PoolChoice {
  const { pool } = state;
  if (pool.maglev !== undefined) {
    const { tableSize, seed } = pool.maglev;
    const isBySource = pool.sourceIpPersistence || pool.maglev.hashKey === "SOURCE_IP";
    return { expression: hash({ ...where, isBySource, size: tableSize, seed }), elements: tableSlots(state) };
  }
  if (pool.algorithm === "IP_HASH") {
    const size = chooseTableSize(pool.backends.length);
    return { expression: hash({ ...where, isBySource: true, size, seed: 0 }), elements: sourceSlots(state, size) };
  }
  const elements = turnSlots(state);
  return { expression: `numgen inc mod ${Math.max(elements.slots.length, 1)}`, elements };
}

interface Hash extends Where {
  readonly isBySource: boolean;
  readonly size: number;
  readonly seed: number;
}

/** The fields, and their order, are those of `FlowHash` of `@fiberlb/maglev`. */
function hash({ family: { ip }, transport, isBySource, size, seed }: Hash): string {
  const fields = isBySource ? `${ip} saddr` : `${ip} saddr . ${ip} daddr . ${transport} sport . ${transport} dport`;
  return `jhash ${fields} mod ${size} seed 0x${seed.toString(16)}`;
}

function targetOf({ address, port }: BackendUnit): string {
  return `${address} . ${port}`;
}

/** The library's table, slot by slot. One that does not fit the pool leads to nobody, rather than to somebody else. */
function tableSlots({ pool, table, active }: PoolState): Slotted {
  if (table === undefined || !fits(pool, table)) return NOBODY;
  return activeSlots(table.slots, table.backendIds, active);
}

/** What a table was made of last, while nothing of it changes. */
interface Made {
  readonly of: string;
  readonly slotted: Slotted;
}

/** By the table: other pools of a load balancer are not worked out anew with the one that changed. */
const made = new WeakMap<SlotArray, Made>();

/** A table of all backends as it is while only some are active. */
function activeSlots(slots: SlotArray, ids: readonly string[], active: readonly BackendUnit[]): Slotted {
  const of = active.map((backend) => `${backend.id} ${targetOf(backend)}`).join();
  const last = made.get(slots);
  if (last?.of === of) return last.slotted;
  const slotted = successorSlots(slots, ids, active);
  made.set(slots, { of, slotted });
  return slotted;
}

function successorSlots(slots: SlotArray, ids: readonly string[], active: readonly BackendUnit[]): Slotted {
  const places = new Map(active.map(({ id }, place) => [id, place]));
  const placeOf = Int32Array.from(ids, (id) => places.get(id) ?? -1);
  if (placeOf.every((place) => place < 0)) return NOBODY;
  const isUsable = (index: number): boolean => (placeOf[index] as number) >= 0;
  const succession = { slots, backendCount: ids.length, isUsable };
  const placed = Int32Array.from(slots, (_, slot) => placeOf[successor(slot, succession)] as number);
  return { slots: placed, targets: active.map(targetOf) };
}

/** Whether a table is one of this pool as it is: it may be the next one's already, with a backend that comes with it. */
export function fits({ maglev, backends }: PoolUnit, { slots, backendIds }: MaglevTableUnit): boolean {
  const known = new Set(backends.map(({ id }) => id));
  const isOfSize = slots.length === 0 || slots.length === maglev?.tableSize;
  return isOfSize && backendIds.every((id) => known.has(id));
}

/** Tables of pools by source, as long as the pool is the same object; by whether they are of backups. */
const sourceTables = new WeakMap<PoolUnit, Map<boolean, MaglevTable>>();

/** A table like Maglev's, small and of the pool's own: the same promise as in user space, where no table is needed. */
function sourceSlots({ pool, active }: PoolState, size: number): Slotted {
  if (active.length === 0) return NOBODY;
  const { slots, backends } = sourceTable(pool, active, size);
  return activeSlots(
    slots,
    backends.map(({ name }) => name),
    active,
  );
}

function sourceTable(pool: PoolUnit, active: readonly BackendUnit[], size: number): MaglevTable {
  const known = sourceTables.get(pool) ?? new Map<boolean, MaglevTable>();
  const isBackup = active[0]?.backup === true;
  const members = tableMembers(pool, { active }).map(({ id, weight }) => ({ name: id, weight }));
  const table = known.get(isBackup) ?? buildTable(members, { size });
  sourceTables.set(pool, known.set(isBackup, table));
  return table;
}

/** One cycle of turns; without weights everybody has one. */
function turnSlots({ pool, active }: PoolState): Slotted {
  if (active.length === 0) return NOBODY;
  const weighted = pool.algorithm === "WEIGHTED_ROUND_ROBIN";
  const slots = scheduleTurns(active.map(({ weight }) => (weighted ? weight : 1)));
  return { slots, targets: active.map(targetOf) };
}
