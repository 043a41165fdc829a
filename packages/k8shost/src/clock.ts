/** The only door to time in this package; tests pass one that they move by hand. */
export interface Clock {
  /** Monotonic milliseconds; only differences mean something. */
  nowMs(): number;
  /** Wall-clock milliseconds since 1970-01-01T00:00:00Z. */
  epochMs(): number;
  /** Calls `fn` once, `delayMs` from now. A pending call does not keep the process alive. */
  after(delayMs: number, fn: () => void): Cancel;
}

/** Takes a pending call back; does nothing after the call has run. */
export type Cancel = () => void;

/** The machine's own time. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  epochMs: () => Date.now(),
  after(delayMs, fn) {
    const timer = setTimeout(fn, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
