import type { Cancel, Clock } from "../clock.ts";
import type { Lease, Refusal } from "./balancer.ts";
import type { Flow } from "./select/selector.ts";

/** So many wait for one pool in one worker; more are refused at once. */
export const MAX_WAITING = 1024;
/** While somebody waits, places that other workers gave back, and changes of the pool, are looked for so often. */
export const POLL_MS = 10;

/** What comes of waiting: a place, or why there is none. */
export type OnTurn = (choice: Lease | Refusal) => void;

/** What a {@link WaitQueue} needs of its pool. */
export interface WaitQueueOptions {
  readonly clock: Clock;
  /** A place for a flow, if there is one now. */
  readonly pick: (flow: Flow) => Lease | Refusal;
  /** So many more, or fewer, wait: other workers must know. */
  readonly onLength: (change: number) => void;
}

interface Waiter {
  readonly flow: Flow;
  readonly onTurn: OnTurn;
  /** Monotonic milliseconds. */
  readonly untilMs: number;
}

/**
 * Those who wait in one worker for a place at one pool's backends, first come first served. A place that this worker
 * gives back goes to the first of them at once; for those of others they look every {@link POLL_MS}.
 */
export class WaitQueue {
  readonly #options: WaitQueueOptions;
  /** In the order in which they came. */
  readonly #waiters = new Set<Waiter>();
  #cancelPoll: Cancel | undefined;
  #isWaking = false;

  constructor(options: WaitQueueOptions) {
    this.#options = options;
  }

  get length(): number {
    return this.#waiters.size;
  }

  /**
   * @param onTurn called at most once, never before this returns.
   * @returns how to leave; undefined when too many wait already.
   */
  join(flow: Flow, timeoutMs: number, onTurn: OnTurn): Cancel | undefined {
    if (this.#waiters.size >= MAX_WAITING) return undefined;
    const { clock, onLength } = this.#options;
    const waiter: Waiter = { flow, onTurn, untilMs: clock.nowMs() + timeoutMs };
    this.#waiters.add(waiter);
    onLength(1);
    this.#cancelPoll ??= clock.after(Math.min(POLL_MS, timeoutMs), () => this.#poll());
    return () => void this.#remove(waiter);
  }

  /** A place was given back. Whoever gave it is done first: the one who gets it begins something of its own. */
  wake(): void {
    if (this.#waiters.size === 0 || this.#isWaking) return;
    this.#isWaking = true;
    queueMicrotask(() => {
      this.#isWaking = false;
      this.#serve();
    });
  }

  /** Nobody has to wait any more: all of them get what there is, or are refused. */
  dissolve(refusal: Refusal): void {
    for (const waiter of Array.from(this.#waiters)) this.#tell(waiter, refusal);
  }

  #poll(): void {
    this.#cancelPoll = undefined;
    this.#serve();
    const nowMs = this.#options.clock.nowMs();
    for (const waiter of Array.from(this.#waiters)) {
      if (nowMs >= waiter.untilMs) this.#tell(waiter, { kind: "refusal", reason: "queue-timeout" });
    }
    if (this.#waiters.size > 0) this.#cancelPoll ??= this.#options.clock.after(POLL_MS, () => this.#poll());
  }

  /** As many as there are places for, in order; all of them once there is nobody left to wait for. */
  #serve(): void {
    for (const waiter of this.#waiters) {
      const choice = this.#options.pick(waiter.flow);
      if (choice.kind === "refusal" && choice.reason === "backend-limit") return;
      this.#tell(waiter, choice);
    }
  }

  #tell(waiter: Waiter, choice: Lease | Refusal): void {
    if (this.#remove(waiter)) waiter.onTurn(choice);
    // Its turn came while it left: the place is for the next one.
    else if (choice.kind === "lease") choice.release();
  }

  #remove(waiter: Waiter): boolean {
    if (!this.#waiters.delete(waiter)) return false;
    this.#options.onLength(-1);
    if (this.#waiters.size === 0) {
      this.#cancelPoll?.();
      this.#cancelPoll = undefined;
    }
    return true;
  }
}
