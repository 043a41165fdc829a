import { type Cancel, type Clock, systemClock } from "../src/clock.ts";

/** Real time that tells how much is still to happen by it. */
export class CountedClock implements Clock {
  readonly #pending = new Set<object>();

  get pendingCount(): number {
    return this.#pending.size;
  }

  now(): number {
    return systemClock.now();
  }

  after(delayMs: number, callback: () => void): Cancel {
    const pending = {};
    this.#pending.add(pending);
    const cancel = systemClock.after(delayMs, () => {
      this.#pending.delete(pending);
      callback();
    });
    return () => {
      this.#pending.delete(pending);
      cancel();
    };
  }
}
