import type { Cancel, Clock } from "../src/clock.ts";

interface Pending {
  readonly atMs: number;
  readonly callback: () => void;
}

/** Time that moves only by {@link FakeClock.advance}. */
export class FakeClock implements Clock {
  #nowMs = 0;
  readonly #pending = new Set<Pending>();

  get pendingCount(): number {
    return this.#pending.size;
  }

  now(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): Cancel {
    const pending = { atMs: this.#nowMs + delayMs, callback };
    this.#pending.add(pending);
    return () => this.#pending.delete(pending);
  }

  /** Moves time on, running what falls due in its order. */
  advance(byMs: number): void {
    const endMs = this.#nowMs + byMs;
    for (;;) {
      const due = [...this.#pending].filter(({ atMs }) => atMs <= endMs).toSorted((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.#pending.delete(due);
      this.#nowMs = Math.max(this.#nowMs, due.atMs);
      due.callback();
    }
    this.#nowMs = endMs;
  }
}

/** Lets everything run that waits for no clock. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
