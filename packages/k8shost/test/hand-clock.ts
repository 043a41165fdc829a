import type { Cancel, Clock } from "../src/index.ts";

interface Pending {
  readonly atMs: number;
  readonly fn: () => void;
}

/** Time that moves only by {@link HandClock.advance}. */
export class HandClock implements Clock {
  #nowMs = 0;
  readonly #pending = new Set<Pending>();

  nowMs(): number {
    return this.#nowMs;
  }

  epochMs(): number {
    return 1_767_225_600_000 + this.#nowMs;
  }

  after(delayMs: number, fn: () => void): Cancel {
    const pending = { atMs: this.#nowMs + delayMs, fn };
    this.#pending.add(pending);
    return () => this.#pending.delete(pending);
  }

  /** Moves time on, running what falls due on the way; what that sets is for the next call. */
  advance(byMs: number): void {
    this.#nowMs += byMs;
    const due = [...this.#pending].filter(({ atMs }) => atMs <= this.#nowMs).toSorted((a, b) => a.atMs - b.atMs);
    for (const pending of due) {
      if (this.#pending.delete(pending)) pending.fn();
    }
  }
}
