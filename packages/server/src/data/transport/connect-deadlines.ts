import type { Cancel, Clock } from "../../clock.ts";

/** Something that must be done by a certain time. */
export interface Deadline {
  /** Monotonic milliseconds of the {@link Clock}. */
  readonly deadlineMs: number;
  expire(): void;
}

/**
 * Timeouts of many short-lived things at the price of one timer. The timer runs for the earliest deadline it knows of
 * and is not taken back when that one is met: with connections that stand within a millisecond and a timeout of
 * seconds, it fires once per timeout and finds nearly nothing to look at.
 */
export class ConnectDeadlines {
  readonly #clock: Clock;
  readonly #pending = new Set<Deadline>();
  #timerAtMs = Infinity;
  #cancel: Cancel | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Now, by the clock that deadlines are measured with. */
  get nowMs(): number {
    return this.#clock.nowMs();
  }

  add(deadline: Deadline): void {
    this.#pending.add(deadline);
    if (deadline.deadlineMs < this.#timerAtMs) this.#schedule(deadline.deadlineMs);
  }

  /** It was met, or does not matter any more. */
  delete(deadline: Deadline): void {
    this.#pending.delete(deadline);
  }

  #schedule(atMs: number): void {
    this.#cancel?.();
    this.#timerAtMs = atMs;
    this.#cancel = this.#clock.after(Math.max(0, atMs - this.#clock.nowMs()), () => this.#fire());
  }

  #fire(): void {
    const nowMs = this.#clock.nowMs();
    this.#timerAtMs = Infinity;
    let nextMs = Infinity;
    for (const deadline of this.#pending) {
      if (deadline.deadlineMs <= nowMs) {
        this.#pending.delete(deadline);
        deadline.expire();
      } else if (deadline.deadlineMs < nextMs) {
        nextMs = deadline.deadlineMs;
      }
    }
    if (nextMs < this.#timerAtMs) this.#schedule(nextMs);
  }
}
