import type { Cancel, Clock } from "../src/clock.ts";

/** Time that moves only when a test says so. */
export class FakeClock implements Clock {
  #nowMs = 0;
  readonly #pending = new Set<{ readonly atMs: number; readonly fn: () => void }>();

  nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, fn: () => void): Cancel {
    const entry = { atMs: this.#nowMs + delayMs, fn };
    this.#pending.add(entry);
    return () => void this.#pending.delete(entry);
  }

  /** Calls waiting. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Moves time on, running what falls due in order. */
  advance(ms: number): void {
    const end = this.#nowMs + ms;
    for (;;) {
      const next = [...this.#pending].filter(({ atMs }) => atMs <= end).toSorted((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.#pending.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.fn();
    }
    this.#nowMs = end;
  }
}
