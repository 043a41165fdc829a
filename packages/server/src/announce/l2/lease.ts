/**
 * The short lease under which a node holds VIPs of the link. When the node falls silent, it ends, and with it every claim.
 */
import { isStoreError, type LeaseId, type Store } from "@fiberlb/store";

import type { Cancel, Clock } from "../../clock.ts";
import type { Tenure } from "./tenure.ts";

export interface ShortLeaseOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly ttlMs: number;
  /** A new lease: nothing is attached to it so far. */
  readonly onGranted: () => void;
  /** A keep-alive was answered. */
  readonly onConfirmed: () => void;
  /** One was sent: whatever lives on a part of the lease's time can have the next part. */
  readonly onTick: () => void;
  /** The store has ended the lease: nothing is held any more. */
  readonly onLost: () => void;
  /** The store did not answer; it is asked again. */
  readonly onError: (error: unknown) => void;
}

/** So many keep-alives are sent in a lease's time: one that is lost, or late, costs nothing. */
const KEEP_ALIVES = 6;
/** A store that is slow is not asked more and more. */
const MOST_UNANSWERED = 3;

/** Grants itself a lease, keeps it alive, and gets another one when it was lost. */
export class ShortLease {
  readonly #options: ShortLeaseOptions;
  #lease: LeaseId | undefined;
  #confirmedAtMs = Number.NEGATIVE_INFINITY;
  #timer: Cancel | undefined;
  #unanswered = 0;
  #isStopped = false;

  constructor(options: ShortLeaseOptions) {
    this.#options = options;
  }

  /** Undefined while there is none. */
  get id(): LeaseId | undefined {
    return this.#lease;
  }

  /** How far the lease is known to reach; undefined while there is none. */
  get tenure(): Tenure | undefined {
    if (this.#lease === undefined) return undefined;
    return { ttlMs: this.#options.ttlMs, confirmedAtMs: this.#confirmedAtMs };
  }

  start(): void {
    this.#tick();
  }

  #tick(): void {
    if (this.#isStopped) return;
    this.#timer = this.#options.clock.after(this.#options.ttlMs / KEEP_ALIVES, () => this.#tick());
    this.#options.onTick();
    if (this.#unanswered >= MOST_UNANSWERED) return;
    void (this.#lease === undefined ? this.#grant() : this.#keepAlive(this.#lease));
  }

  /** Ends it without a word to the store: it lasts for its time. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.();
  }

  /** Ends it in the store, too. */
  async revoke(): Promise<void> {
    this.stop();
    const lease = this.#lease;
    this.#lease = undefined;
    if (lease === undefined) return;
    await this.#options.store.revokeLease(lease).catch((error: unknown) => {
      if (!isStoreError(error, "LEASE_NOT_FOUND", "CLOSED")) this.#options.onError(error);
    });
  }

  /** What the store has told in another way: it does not know this lease. */
  lost(lease: LeaseId): void {
    if (this.#lease !== lease) return;
    this.#lease = undefined;
    this.#confirmedAtMs = Number.NEGATIVE_INFINITY;
    this.#options.onLost();
  }

  async #grant(): Promise<void> {
    await this.#ask(async (sentAtMs) => {
      const lease = await this.#options.store.grantLease(this.#options.ttlMs);
      // Two were asked for because the first answer was late: the other one ends by itself.
      if (this.#lease !== undefined || this.#isStopped) return;
      this.#lease = lease;
      this.#confirmedAtMs = sentAtMs;
      this.#options.onGranted();
    });
  }

  async #keepAlive(lease: LeaseId): Promise<void> {
    await this.#ask(async (sentAtMs) => {
      try {
        await this.#options.store.keepAlive(lease);
      } catch (error) {
        if (!isStoreError(error, "LEASE_NOT_FOUND")) throw error;
        this.lost(lease);
        return;
      }
      if (this.#lease !== lease || this.#isStopped) return;
      this.#confirmedAtMs = Math.max(this.#confirmedAtMs, sentAtMs);
      this.#options.onConfirmed();
    });
  }

  /** The lease's time begins at the store, later than `sentAtMs`: so this never reckons with more than there is. */
  async #ask(question: (sentAtMs: number) => Promise<void>): Promise<void> {
    this.#unanswered += 1;
    try {
      await question(this.#options.clock.nowMs());
    } catch (error) {
      if (!isStoreError(error, "CLOSED")) this.#options.onError(error);
    } finally {
      this.#unanswered -= 1;
    }
  }
}
