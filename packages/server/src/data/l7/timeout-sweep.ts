import type { Cancel, Clock } from "../../clock.ts";

/** Something whose timeouts are looked after. */
export interface Timed {
  /** Looks whether a timeout is over; `nowMs` is monotonic. May remove itself from the set. */
  tick(nowMs: number): void;
}

/** What is late is late by at most an eighth of the shortest timeout, and by at most a second. */
const SWEEPS_PER_TIMEOUT = 8;
const LONGEST_PERIOD_MS = 1000;

/** Timeouts of many connections at the price of one timer, which runs while there are any. */
export class TimeoutSweep {
  readonly #clock: Clock;
  readonly #subjects: ReadonlySet<Timed>;
  #periodMs: number;
  #cancel: Cancel | undefined;

  /** @param timeoutsMs all timeouts there are; 0 = never. */
  constructor(clock: Clock, subjects: ReadonlySet<Timed>, timeoutsMs: readonly number[]) {
    this.#clock = clock;
    this.#subjects = subjects;
    this.#periodMs = periodOf(timeoutsMs);
  }

  /** Other timeouts from now on. */
  set timeoutsMs(timeoutsMs: readonly number[]) {
    this.#periodMs = periodOf(timeoutsMs);
    if (this.#cancel === undefined) return;
    this.stop();
    this.start();
  }

  start(): void {
    this.#cancel ??= this.#clock.after(this.#periodMs, () => this.#sweep());
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #sweep(): void {
    this.#cancel = undefined;
    const nowMs = this.#clock.nowMs();
    for (const subject of this.#subjects) subject.tick(nowMs);
    if (this.#subjects.size > 0) this.start();
  }
}

const periodOf = (timeoutsMs: readonly number[]): number =>
  Math.min(LONGEST_PERIOD_MS, ...timeoutsMs.filter((ms) => ms > 0).map((ms) => ms / SWEEPS_PER_TIMEOUT));
