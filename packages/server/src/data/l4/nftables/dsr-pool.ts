/**
 * Whom a pool with direct server return sends packets to. Pure.
 */
import { buildTable, encodeAddress, jhash } from "@fiberlb/maglev";

import type { BackendHealth, BackendUnit, MaglevTableUnit, PoolUnit } from "../../../snapshot/snapshot.ts";
import { isInService } from "../../rotation.ts";
import { familyOf } from "./family.ts";
import type { PoolState } from "./pool-map.ts";

/** A pool and who of it may get packets now. */
export interface DsrPoolState {
  /** For new flows: without those that cannot be reached on their link. */
  readonly state: PoolState;
  /** Addresses that may get packets of flows they have already; all of those that get new flows are among them. */
  readonly members: readonly string[];
}

/** What there is to know about the backends of a pool. */
export interface DsrPoolFacts {
  readonly healthOf: (backend: BackendUnit) => BackendHealth;
  /** Whether nobody answers for an address on its link. */
  readonly isUnreachable: (address: string) => boolean;
  /** Addresses that left the pool, or were taken out of service, and whose drain time is not over. */
  readonly leaving: Iterable<string>;
}

/** Who may get packets, from who is in rotation. */
export function dsrPoolState(state: PoolState, facts: DsrPoolFacts): DsrPoolState {
  const { pool } = state;
  const isReachable = ({ address }: BackendUnit): boolean => address !== undefined && !facts.isUnreachable(address);
  const active = state.active.filter(isReachable);
  const table = state.table && reachableTable(state.table, pool, isReachable);
  const chosen = table === undefined ? active : pool.backends.filter(({ id }) => table.backendIds.includes(id));
  const isLost = (backend: BackendUnit): boolean =>
    facts.healthOf(backend) === "OFFLINE" && (pool.protocol === "UDP" || pool.onBackendDown === "RESET");
  const lost = new Set(pool.backends.filter((backend) => isLost(backend)).map(({ address }) => address));
  const staying = pool.backends.filter((backend) => isInService(backend) && isReachable(backend));
  const kept = [...staying.map(({ address }) => address as string), ...facts.leaving].filter(
    (address) => !lost.has(address) && !facts.isUnreachable(address),
  );
  const members = new Set([...chosen.map(({ address }) => address as string), ...kept]);
  return { state: { pool, active, table }, members: [...members].toSorted() };
}

/** The table that its makers would have made, had health checks found out what the link says. */
function reachableTable(
  table: MaglevTableUnit,
  pool: PoolUnit,
  isReachable: (backend: BackendUnit) => boolean,
): MaglevTableUnit {
  const members = pool.backends.filter(({ id }) => table.backendIds.includes(id));
  const reachable = members.filter(isReachable);
  if (reachable.length === members.length || pool.maglev === undefined) return table;
  if (reachable.length === 0) return { ...table, backendIds: [], slots: new Uint16Array(new SharedArrayBuffer(0)) };
  const made = buildTable(
    reachable.map(({ id, weight }) => ({ name: id, weight })),
    { size: pool.maglev.tableSize, allocate: (bytes) => new SharedArrayBuffer(bytes) },
  );
  return { ...table, backendIds: made.backends.map(({ name }) => name), slots: made.slots as MaglevTableUnit["slots"] };
}

/**
 * 32 bits for each address, which rules can carry in a packet's mark from one look-up to the next. They depend on the
 * addresses alone, so that flows which the kernel remembers are still right after a restart: an IPv4 address is its own
 * mark, an IPv6 address is hashed. Two of one pool never share a mark.
 */
export function backendMarks(addresses: readonly string[]): ReadonlyMap<string, number> {
  const marks = new Map<string, number>();
  const taken = new Set<number>([0]);
  for (const address of addresses.toSorted()) {
    const bytes = encodeAddress(address);
    const isIpv6 = familyOf(address).suffix === "6";
    let mark = isIpv6 ? jhash(bytes) : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
    while (taken.has(mark)) mark = (mark + 1) >>> 0;
    taken.add(mark);
    marks.set(address, mark);
  }
  return marks;
}
