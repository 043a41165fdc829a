import type { RejectReason } from "../data-plane.ts";
import type { SourceRates } from "../rate/source-rates.ts";

/** Where a listener's figures are kept; one per listener and worker. */
export interface ListenerAccount {
  /** What each source may do in a second, as configured now; absent = anything. */
  rates?: SourceRates | undefined;
  /**
   * Takes a place for one connection, which is then counted as accepted and active.
   * @param limit connections open at once over all workers of the node; 0 = no limit.
   * @returns false, taking nothing, when the limit is reached.
   */
  open(limit: number): boolean;
  /** Gives the place back: the connection has ended on the client's side and on the backend's. */
  close(): void;
  /** A connection was turned away. Comes after `open` when the reason showed only then. */
  reject(reason: RejectReason): void;
  /** Bytes from the client (`in`) and to the client (`out`). */
  count(bytesIn: number, bytesOut: number): void;
}
