/**
 * Whom a pool with direct server return sends packets to. Pure.
 */
import { encodeAddress, jhash } from "@fiberlb/maglev";

import type { BackendHealth, BackendUnit } from "../../../snapshot/snapshot.ts";
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
  const { pool, table } = state;
  const isReachable = ({ address }: BackendUnit): boolean => address !== undefined && !facts.isUnreachable(address);
  const active = state.active.filter(isReachable);
  const isLost = (backend: BackendUnit): boolean =>
    facts.healthOf(backend) === "OFFLINE" && (pool.protocol === "UDP" || pool.onBackendDown === "RESET");
  const lost = new Set(pool.backends.filter((backend) => isLost(backend)).map(({ address }) => address));
  const staying = pool.backends.filter((backend) => isInService(backend) && isReachable(backend));
  const kept = [...staying.map(({ address }) => address as string), ...facts.leaving].filter(
    (address) => !lost.has(address) && !facts.isUnreachable(address),
  );
  const members = new Set([...active.map(({ address }) => address as string), ...kept]);
  return { state: { pool, active, table }, members: [...members].toSorted() };
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
