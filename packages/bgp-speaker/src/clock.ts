/** A scheduled call that can be called off. */
export interface Cancel {
  /** Calls it off; does nothing when it already ran. */
  (): void;
}

/** The only door to time. Tests pass one that they move by hand. */
export interface Clock {
  /** Milliseconds that only ever grow; the origin is arbitrary. */
  now(): number;
  /** Runs `callback` once, `delayMs` milliseconds from now. A pending call does not keep the process alive. */
  after(delayMs: number, callback: () => void): Cancel;
}

/** Real, monotonic time. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
