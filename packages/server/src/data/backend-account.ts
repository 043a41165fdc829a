import type { Cancel, Clock } from "../clock.ts";
import type { BackendUnit } from "../snapshot/snapshot.ts";
import type { Lease, RevokeReason, Verdict } from "./balancer.ts";
import type { Row } from "./counters.ts";
import { BACKEND_TOTAL, countFailure, forgetFailures, isEjected } from "./figures.ts";
import type { Candidate } from "./select/selector.ts";

/** What one worker knows of a backend: its row in the shared table and the connections that this worker has to it. */
export class BackendAccount implements Candidate {
  /** As configured now; of one that was removed, as it was last. */
  backend: BackendUnit;
  row: Row;
  /** Monotonic milliseconds at which its slow start began; undefined = past it. */
  slowStartSinceMs: number | undefined;
  /** It was out of rotation, or is new to a pool that runs: when it enters, it starts slowly. */
  isCold = false;
  /** Failures in a row, over all workers, after which {@link onOutlier} hears of it; 0 = they are not counted. */
  failureLimit = 0;
  onOutlier: ((backendId: string) => void) | undefined;
  /** A connection gave its place back. */
  onRelease: (() => void) | undefined;
  /** Absent until the first one: most workers of most nodes never connect to most backends. */
  #leases: Set<BackendLease> | undefined;
  #cancelDrain: Cancel | undefined;
  /** Set while it drains. */
  #drainEnds: { readonly clock: Clock; readonly atMs: number } | undefined;

  constructor(backend: BackendUnit, row: Row) {
    this.backend = backend;
    this.row = row;
  }

  /** Connections in flight over all workers. */
  connections(): number {
    return this.row.gauge();
  }

  /** Whether it carries as many connections as it may, over all workers. */
  get isFull(): boolean {
    const { maxConnections } = this.backend;
    return maxConnections > 0 && this.row.gauge() >= maxConnections;
  }

  /** Whether this worker has connections to it. */
  get isIdle(): boolean {
    return this.#leases === undefined || this.#leases.size === 0;
  }

  /** What real traffic says of it. One that is ejected has been judged. */
  judge(verdict: Verdict): void {
    if (this.failureLimit === 0) return;
    if (verdict === "success") forgetFailures(this.row);
    else if (!isEjected(this.row) && countFailure(this.row, this.failureLimit)) this.onOutlier?.(this.backend.id);
  }

  /** Counts one more connection. */
  lease(): Lease {
    this.#leases ??= new Set();
    const lease = new BackendLease(this, this.#leases);
    this.#leases.add(lease);
    this.row.addToGauge(1);
    // A session goes on while it drains.
    if (this.#drainEnds !== undefined) this.#endWithDrain(this.#drainEnds);
    return lease;
  }

  /** Lets connections finish for so long, then ends those that are left. Going on if it drains already. */
  drain(clock: Clock, timeoutMs: number): void {
    this.#drainEnds ??= { clock, atMs: clock.nowMs() + timeoutMs };
    if (!this.isIdle) this.#endWithDrain(this.#drainEnds);
  }

  /** Whether it drains, and still has time for connections of sessions. */
  get isDraining(): boolean {
    return this.#drainEnds !== undefined && this.#drainEnds.clock.nowMs() < this.#drainEnds.atMs;
  }

  #endWithDrain({ clock, atMs }: { readonly clock: Clock; readonly atMs: number }): void {
    this.#cancelDrain ??= clock.after(Math.max(0, atMs - clock.nowMs()), () => {
      this.#cancelDrain = undefined;
      this.revokeAll("drain-timeout");
    });
  }

  /** It is wanted again: connections that still stand may stay. */
  stopDraining(): void {
    this.#drainEnds = undefined;
    this.#cancelDrain?.();
    this.#cancelDrain = undefined;
  }

  /** Tells the owner of every connection to end it. */
  revokeAll(reason: RevokeReason): void {
    // A copy: who is told may at once take another lease.
    for (const lease of Array.from(this.#leases ?? [])) lease.revoke(reason);
  }
}

class BackendLease implements Lease {
  readonly kind = "lease";
  readonly backend: BackendUnit;
  onRevoke: ((reason: RevokeReason) => void) | undefined;
  readonly #row: Row;
  readonly #leases: Set<BackendLease>;
  readonly #account: BackendAccount;
  #isJudged = false;

  constructor(account: BackendAccount, leases: Set<BackendLease>) {
    this.backend = account.backend;
    this.#row = account.row;
    this.#leases = leases;
    this.#account = account;
  }

  connected(): void {
    this.#row.add(BACKEND_TOTAL.connections, 1);
  }

  failed(): void {
    this.#row.add(BACKEND_TOTAL.connectErrors, 1);
    this.judge("failure");
  }

  judge(verdict: Verdict): void {
    if (this.#isJudged) return;
    this.#isJudged = true;
    this.#account.judge(verdict);
  }

  count(bytesIn: number, bytesOut: number): void {
    if (bytesIn !== 0) this.#row.add(BACKEND_TOTAL.bytesIn, bytesIn);
    if (bytesOut !== 0) this.#row.add(BACKEND_TOTAL.bytesOut, bytesOut);
  }

  release(): void {
    if (!this.#leases.delete(this)) return;
    this.#row.addToGauge(-1);
    this.#account.onRelease?.();
  }

  revoke(reason: RevokeReason): void {
    const tell = this.onRevoke;
    this.onRevoke = undefined;
    tell?.(reason);
  }
}
