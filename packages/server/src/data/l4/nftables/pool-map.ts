/**
 * How the kernel chooses a backend of a pool: one rule that translates, one map of slots that it looks in.
 */
import { buildTable, chooseTableSize } from "@fiberlb/maglev";

import type { BackendUnit, MaglevTableUnit, PoolUnit } from "../../../snapshot/snapshot.ts";
import { scheduleTurns } from "../../select/turn-schedule.ts";
import type { FamilyWords, Transport } from "./family.ts";
import type { Slotted } from "./fragment.ts";

/** A pool and who of it may get new connections now. */
export interface PoolState {
  readonly pool: PoolUnit;
  /** In the pool's order; see `rotation.ts`. */
  readonly active: readonly BackendUnit[];
  /** Of a pool with a Maglev unit. */
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
function tableSlots({ pool, table }: PoolState): Slotted {
  if (table === undefined || !fits(pool, table)) return NOBODY;
  const backends = new Map(pool.backends.map((backend) => [backend.id, backend]));
  return { slots: table.slots, targets: table.backendIds.map((id) => targetOf(backends.get(id) as BackendUnit)) };
}

/** Whether a table is one of this pool as it is: it may be the next one's already, with a backend that comes with it. */
export function fits({ maglev, backends }: PoolUnit, { slots, backendIds }: MaglevTableUnit): boolean {
  const addressed = new Set(backends.flatMap(({ id, address }) => (address === undefined ? [] : [id])));
  const isOfSize = slots.length === 0 || slots.length === maglev?.tableSize;
  return isOfSize && backendIds.every((id) => addressed.has(id));
}

/** A table like Maglev's, small and of the pool's own: the same promise as in user space, where no table is needed. */
function sourceSlots({ active }: PoolState, size: number): Slotted {
  if (active.length === 0) return NOBODY;
  const addressed = new Map(active.map((backend) => [backend.id, targetOf(backend)]));
  const { slots, backends } = buildTable(
    active.map(({ id, weight }) => ({ name: id, weight })),
    { size },
  );
  return { slots, targets: backends.map(({ name }) => addressed.get(name) as string) };
}

/** One cycle of turns; without weights everybody has one. */
function turnSlots({ pool, active }: PoolState): Slotted {
  if (active.length === 0) return NOBODY;
  const weighted = pool.algorithm === "WEIGHTED_ROUND_ROBIN";
  const slots = scheduleTurns(active.map(({ weight }) => (weighted ? weight : 1)));
  return { slots, targets: active.map(targetOf) };
}
