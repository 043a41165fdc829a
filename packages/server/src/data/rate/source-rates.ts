import type { Clock } from "../../clock.ts";
import type { ListenerUnit } from "../../snapshot/snapshot.ts";
import { SourceTable } from "./source-table.ts";

/** The tables of a listener's limits; absent where there is none. Structured-cloneable; the memory is shared. */
export interface RateMemory {
  readonly connections?: SharedArrayBuffer;
  readonly requests?: SharedArrayBuffer;
}

/** What one source may do in a second. */
export interface SourceRate {
  /** Whether one more is let in; if so, it is counted. @param address canonical IP text. */
  admits(address: string): boolean;
}

/** The limits of a listener's configuration; absent ones are not asked for. */
export interface SourceRates {
  readonly connections?: SourceRate;
  readonly requests?: SourceRate;
}

/** A listener's limits in one worker. @param memory from {@link RateMemory}, shared by all workers. */
export function sourceRates(
  { newConnectionsPerSPerSource, http }: ListenerUnit,
  { connections, requests }: RateMemory,
  clock: Clock,
): SourceRates {
  const rateOf = (ratePerS: number | undefined, memory: SharedArrayBuffer | undefined): SourceRate | undefined => {
    if (ratePerS === undefined || memory === undefined) return undefined;
    const table = SourceTable.open(memory);
    return { admits: (address) => table.admits(address, ratePerS, clock.epochMs()) };
  };
  const ofConnections = rateOf(newConnectionsPerSPerSource, connections);
  const ofRequests = rateOf(http?.requestsPerSPerSource, requests);
  return {
    ...(ofConnections !== undefined && { connections: ofConnections }),
    ...(ofRequests !== undefined && { requests: ofRequests }),
  };
}
