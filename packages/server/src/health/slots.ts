import type { Cancel } from "../clock.ts";

/** Places for probes that run at once. Who finds none free waits in line, first come first served. */
export class Slots {
  #free: number;
  readonly #line = new Set<() => void>();

  /** @param size at least 1. */
  constructor(size: number) {
    this.#free = size;
  }

  /**
   * Calls `run` now or when a place is free; `run` owns the place until it calls {@link give}.
   *
   * @returns leaves the line; does nothing once `run` has been called.
   */
  take(run: () => void): Cancel {
    if (this.#free > 0) {
      this.#free -= 1;
      run();
      return () => {};
    }
    const waiting = (): void => run();
    this.#line.add(waiting);
    return () => void this.#line.delete(waiting);
  }

  /** Hands a place to the next in line. */
  give(): void {
    const [next] = this.#line;
    if (next === undefined) {
      this.#free += 1;
      return;
    }
    this.#line.delete(next);
    next();
  }
}
