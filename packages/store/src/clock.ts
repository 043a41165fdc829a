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

/** Node cannot wait longer than this in one timer (2^31 - 1 ms, 24.8 days). */
const MAX_TIMER_MS = 2_147_483_647;

/** Real, monotonic time. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(delayMs, callback) {
    let remainingMs = delayMs;
    let timer: NodeJS.Timeout;
    const arm = (): void => {
      const stepMs = Math.min(remainingMs, MAX_TIMER_MS);
      remainingMs -= stepMs;
      timer = setTimeout(() => (remainingMs > 0 ? arm() : callback()), stepMs);
      timer.unref();
    };
    arm();
    return () => clearTimeout(timer);
  },
};
