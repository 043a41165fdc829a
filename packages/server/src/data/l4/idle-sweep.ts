import type { Cancel, Clock } from "../../clock.ts";

/** Something that may fall silent. */
export interface IdleSubject {
  /** Set by the subject when it moves a byte; taken back by the sweep. */
  moved: boolean;
  /** Kept by the sweep: monotonic milliseconds of the first sweep after the last byte. */
  quietSinceMs: number;
  /** Nothing has moved for the whole timeout. */
  expire(): void;
}

/** What is closed late is late by at most two periods: an eighth of the timeout. */
const SWEEPS_PER_TIMEOUT = 16;
/** The longest a period may be, so that a shortened timeout is not noticed only after the old period. */
const LONGEST_PERIOD_MS = 10_000;

/**
 * Idle timeouts of many connections at the price of one timer and, per byte moved, one store: one sweep looks at all of
 * them. A silent connection is ended one timeout after its last byte, never earlier and at most an eighth (and never
 * more than 20 s) later.
 */
export class IdleSweep {
  readonly #clock: Clock;
  readonly #subjects: Iterable<IdleSubject>;
  #timeoutMs: number;
  #cancel: Cancel | undefined;

  /** @param timeoutMs 0 = never. */
  constructor(clock: Clock, subjects: Iterable<IdleSubject>, timeoutMs: number) {
    this.#clock = clock;
    this.#subjects = subjects;
    this.#timeoutMs = timeoutMs;
  }

  /** Replaces the timeout, also for what is being watched already. */
  set timeoutMs(timeoutMs: number) {
    if (timeoutMs === this.#timeoutMs) return;
    this.#timeoutMs = timeoutMs;
    if (this.#cancel !== undefined) this.start();
  }

  /** Sweeps from now on. */
  start(): void {
    this.stop();
    const periodMs = Math.min(this.#timeoutMs / SWEEPS_PER_TIMEOUT, LONGEST_PERIOD_MS);
    this.#cancel = this.#timeoutMs === 0 ? () => undefined : this.#clock.after(periodMs, () => this.#sweep());
  }

  /** Stops sweeping; for when there is nothing to watch. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #sweep(): void {
    this.start();
    const nowMs = this.#clock.nowMs();
    for (const subject of this.#subjects) {
      if (subject.moved) {
        subject.moved = false;
        subject.quietSinceMs = nowMs;
      } else if (nowMs - subject.quietSinceMs >= this.#timeoutMs) {
        subject.expire();
      }
    }
  }
}
