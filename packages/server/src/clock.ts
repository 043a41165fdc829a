/**
 * The only door to time in this package. Everything else takes a {@link Clock}, so that tests drive time by hand.
 */
export interface Clock {
  /** Monotonic milliseconds with fractions; only differences mean something. */
  nowMs(): number;
  /** Wall-clock milliseconds since 1970-01-01T00:00:00Z. */
  epochMs(): number;
  /** Calls `fn` once, `delayMs` from now. A pending call does not keep the process alive. */
  after(delayMs: number, fn: () => void): Cancel;
}

/** Takes a pending call back; does nothing after the call has run. */
export type Cancel = () => void;

/** Node cannot wait longer than this in one timer (2^31 - 1 ms, 24.8 days). */
const MAX_TIMER_MS = 2_147_483_647;

/** The machine's own time. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  epochMs: () => Date.now(),
  after(delayMs, fn) {
    let remainingMs = delayMs;
    let timer: NodeJS.Timeout;
    const arm = (): void => {
      const stepMs = Math.min(remainingMs, MAX_TIMER_MS);
      remainingMs -= stepMs;
      timer = setTimeout(() => (remainingMs > 0 ? arm() : fn()), stepMs);
      timer.unref();
    };
    arm();
    return () => clearTimeout(timer);
  },
};

/** Resolves `delayMs` from now, or rejects with the signal's reason as soon as it aborts. */
export function delay(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(signal.reason as Error);
    const abort = (): void => {
      cancel();
      reject(signal?.reason as Error);
    };
    const cancel = clock.after(delayMs, () => {
      signal?.removeEventListener("abort", abort);
      resolve();
    });
    signal?.addEventListener("abort", abort, { once: true });
  });
}
