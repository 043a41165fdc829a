import type { BackendUnit } from "../../snapshot/snapshot.ts";

/** What is known of a connection (or datagram) when a backend must be chosen. Addresses are canonical IP text. */
export interface Flow {
  readonly clientAddress: string;
  readonly clientPort: number;
  readonly vip: string;
  readonly vipPort: number;
  /** Value of the header or cookie that the pool hashes; absent when there is none, or the pool hashes something else. */
  readonly hashText?: string | undefined;
}

/** A backend that may be chosen, with its load right now. `Selector`s see this and nothing else. */
export interface Candidate {
  readonly backend: BackendUnit;
  /** Connections in flight over all workers. */
  connections(): number;
}

/**
 * One algorithm. It proposes; whether a backend is usable was decided before: `candidates` holds only usable ones,
 * is never empty, and is the same array object until the usable set changes.
 */
export interface Selector {
  /** Index into `candidates`. */
  pick(candidates: readonly Candidate[], flow: Flow): number;
}
