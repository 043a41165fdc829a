import type { Cancel, Clock } from "../clock.ts";
import type { GrantedLease } from "../mvcc/tables.ts";
import type { LeaseId } from "../store.ts";

/** How long to wait before an expiry that failed (no space, say) is tried again. */
const RETRY_MS = 1000;

interface Timer {
  readonly ttlMs: number;
  deadlineMs: number;
  /** Its time is over, its keys are being deleted: nothing can bring it back. */
  expired: boolean;
  cancel: Cancel;
}

export interface LeaseTimersOptions {
  readonly clock: Clock;
  /** Deletes the lease and its keys. */
  readonly expire: (lease: LeaseId) => Promise<void>;
  readonly onError: (lease: LeaseId, error: unknown) => void;
}

/** Which lease ends when. The leases themselves are in the tables; their deadlines live only here. */
export class LeaseTimers {
  readonly #options: LeaseTimersOptions;
  readonly #timers = new Map<LeaseId, Timer>();

  constructor(options: LeaseTimersOptions) {
    this.#options = options;
  }

  start({ lease, ttlMs }: GrantedLease): void {
    const timer: Timer = { ttlMs, deadlineMs: this.#options.clock.now() + ttlMs, expired: false, cancel: () => {} };
    this.#timers.set(lease, timer);
    this.#arm(lease, timer);
  }

  /** Gives the lease its full time again; answers that time, or undefined when the lease has ended. */
  renew(lease: LeaseId): number | undefined {
    const timer = this.#running(lease);
    if (timer === undefined) return undefined;
    timer.deadlineMs = this.#options.clock.now() + timer.ttlMs;
    return timer.ttlMs;
  }

  remaining(lease: LeaseId): { ttlMs: number; remainingMs: number } | undefined {
    const timer = this.#running(lease);
    if (timer === undefined) return undefined;
    return { ttlMs: timer.ttlMs, remainingMs: timer.deadlineMs - this.#options.clock.now() };
  }

  stop(lease: LeaseId): void {
    this.#timers.get(lease)?.cancel();
    this.#timers.delete(lease);
  }

  stopAll(): void {
    for (const lease of this.#timers.keys()) this.stop(lease);
  }

  /** The timer, unless its time is over: a late timer must not let a lease be renewed. */
  #running(lease: LeaseId): Timer | undefined {
    const timer = this.#timers.get(lease);
    return timer && !timer.expired && timer.deadlineMs > this.#options.clock.now() ? timer : undefined;
  }

  /** A renewal only moves the deadline; the pending call sees it when it runs. */
  #arm(lease: LeaseId, timer: Timer): void {
    const delayMs = Math.max(0, timer.deadlineMs - this.#options.clock.now());
    timer.cancel = this.#options.clock.after(delayMs, () => {
      if (timer.deadlineMs > this.#options.clock.now()) this.#arm(lease, timer);
      else void this.#expire(lease, timer);
    });
  }

  async #expire(lease: LeaseId, timer: Timer): Promise<void> {
    timer.expired = true;
    try {
      await this.#options.expire(lease);
      this.stop(lease);
    } catch (error) {
      if (this.#timers.get(lease) !== timer) return;
      this.#options.onError(lease, error);
      timer.cancel = this.#options.clock.after(RETRY_MS, () => void this.#expire(lease, timer));
    }
  }
}
