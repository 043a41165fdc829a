/** A scheduled call that can be called off. */
export interface Cancel {
  /** Calls it off; does nothing when it already ran. */
  (): void;
}

/** The only door to time. Tests pass one that they move by hand. */
export interface Clock {
  /** Milliseconds that only ever grow; the origin is arbitrary. */
  now(): number;
  /** Runs `callback` once, `delayMs` milliseconds from now. */
  after(delayMs: number, callback: () => void): Cancel;
}

/** Real, monotonic time. What is pending keeps the process alive: a speaker that waits for its daemon is not done. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Resolves after the delay, or at once when the signal is aborted: look at it afterwards. */
export function sleep(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      cancel();
      signal.removeEventListener("abort", end);
      resolve();
    };
    const cancel = clock.after(delayMs, end);
    if (signal.aborted) end();
    else signal.addEventListener("abort", end);
  });
}
