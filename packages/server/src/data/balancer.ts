import type { Cancel } from "../clock.ts";
import type { BackendUnit } from "../snapshot/snapshot.ts";
import type { RejectReason } from "./data-plane.ts";
import type { Flow } from "./select/selector.ts";

/**
 * Chooses backends for one pool in one worker and counts what they carry: preference (`select/`), usability (health,
 * weight, drain, limits), shared counters. L4 and L7 know only this.
 */
export interface Balancer {
  /** The header of the PROXY protocol that backends of the pool want; absent: none. */
  readonly sendProxyProtocol?: "V1" | "V2" | undefined;
  /**
   * The backend for a flow, or why there is none.
   * @param exclude ids that were tried already and refused.
   */
  pick(flow: Flow, exclude?: ReadonlySet<string>): Lease | Refusal;
  /**
   * Waits for a place, when all backends have as many connections as they may (`backend-limit`) and the pool has a queue.
   * @param onTurn called at most once, later: with a place, or the reason why there is none in time.
   * @returns how to leave the queue; a refusal when the pool has none, or too many wait in it.
   */
  wait(flow: Flow, onTurn: (choice: Lease | Refusal) => void): Cancel | Refusal;
}

/**
 * A chosen backend and the account of one connection to it: at most one `connected` or `failed`, then one `release`.
 * Neither comes when the attempt was given up for a reason that is not the backend's (its client left). A flow of
 * datagrams, which nothing answers when it begins, can be `failed` after it was `connected`.
 */
export interface Lease {
  readonly kind: "lease";
  readonly backend: BackendUnit;
  /** The connection stands. */
  connected(): void;
  /** The connection could not be made; counts a connect error. */
  failed(): void;
  /**
   * How the backend did, for outlier detection: it answered, or it did not, broke off, or said that it can't (5xx). The
   * first word on a connection, or on a request, counts; `failed` is one.
   */
  judge(verdict: Verdict): void;
  /** Bytes from the client to the backend (`in`) and back (`out`). */
  count(bytesIn: number, bytesOut: number): void;
  /** The connection has ended; frees its place. Idempotent. */
  release(): void;
  /**
   * Called at most once, when the connection must end: the backend's drain time is over, or it is down and the pool
   * says RESET. Set by the owner.
   */
  onRevoke: ((reason: RevokeReason) => void) | undefined;
}

/** How a backend did. */
export type Verdict = "success" | "failure";

/** Why an established connection is ended from above. */
export type RevokeReason = "drain-timeout" | "backend-down" | "shutdown";

/** No backend, and why. */
export interface Refusal {
  readonly kind: "refusal";
  readonly reason: "no-backend" | "no-healthy-backend" | "backend-limit" | "queue-timeout" | "queue-full";
}

/** What a refusal counts as. */
export const rejectReasonOf = ({ reason }: Refusal): RejectReason =>
  reason === "no-healthy-backend" ? "no-backend" : reason;
