import type { Cancel, Clock } from "../src/clock.ts";

interface Pending {
  readonly atMs: number;
  readonly fn: () => void;
}

/** Time that moves only by {@link FakeClock.advance}. */
export class FakeClock implements Clock {
  #nowMs = 0;
  readonly #pending = new Set<Pending>();
  #armed: (() => void)[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, fn: () => void): Cancel {
    const pending = { atMs: this.#nowMs + delayMs, fn };
    this.#pending.add(pending);
    for (const wake of this.#armed.splice(0)) wake();
    return () => this.#pending.delete(pending);
  }

  /** Delays of the pending calls, soonest first. */
  get delaysMs(): readonly number[] {
    return [...this.#pending].map(({ atMs }) => atMs - this.#nowMs).toSorted((a, b) => a - b);
  }

  /** Resolves as soon as at least one call is pending. */
  async pending(): Promise<void> {
    while (this.#pending.size === 0) await new Promise<void>((resolve) => this.#armed.push(resolve));
  }

  /** Moves time on, running what falls due in its order. */
  advance(byMs: number): void {
    const endMs = this.#nowMs + byMs;
    for (;;) {
      const due = [...this.#pending].filter(({ atMs }) => atMs <= endMs).toSorted((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.#pending.delete(due);
      this.#nowMs = Math.max(this.#nowMs, due.atMs);
      due.fn();
    }
    this.#nowMs = endMs;
  }
}
