import type { Cancel, Clock } from "../../src/clock.ts";

interface Timer {
  readonly dueMs: number;
  readonly fn: () => void;
}

/** Time that passes only by {@link FakeClock.advance}. */
export class FakeClock implements Clock {
  #nowMs = 0;
  readonly #timers = new Set<Timer>();

  nowMs(): number {
    return this.#nowMs;
  }

  epochMs(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }

  after(delayMs: number, fn: () => void): Cancel {
    const timer = { dueMs: this.#nowMs + delayMs, fn };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  get pending(): number {
    return this.#timers.size;
  }

  /** Runs what falls due, in order, and lets promises settle after each call. */
  async advance(byMs: number): Promise<void> {
    const untilMs = this.#nowMs + byMs;
    await settle();
    for (let next = this.#next(untilMs); next !== undefined; next = this.#next(untilMs)) {
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.fn();
      await settle();
    }
    this.#nowMs = untilMs;
  }

  /** Runs what falls due at once, before any event or promise gets its turn. */
  jump(byMs: number): void {
    const untilMs = this.#nowMs + byMs;
    for (let next = this.#next(untilMs); next !== undefined; next = this.#next(untilMs)) {
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.fn();
    }
    this.#nowMs = untilMs;
  }

  /** Time passes while nothing runs; what fell due meanwhile runs late. */
  stall(forMs: number): void {
    this.#nowMs += forMs;
    this.jump(0);
  }

  #next(untilMs: number): Timer | undefined {
    const due = [...this.#timers].filter(({ dueMs }) => dueMs <= untilMs);
    return due.toSorted((a, b) => a.dueMs - b.dueMs)[0];
  }
}

/** Lets everything that waits on resolved promises run. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
