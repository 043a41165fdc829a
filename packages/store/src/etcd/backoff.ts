import type { Clock } from "../clock.ts";
import type { Random } from "../random.ts";

const FIRST_MS = 50;
const MOST_MS = 1000;

/** Growing, jittered pauses between tries, so that many clients don't come back to a member all at once. */
export class Backoff {
  readonly #clock: Clock;
  readonly #random: Random;
  #limitMs = FIRST_MS;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  reset(): void {
    this.#limitMs = FIRST_MS;
  }

  /** Waits between half and all of the current limit, which then doubles; at most `mostMs`, and not beyond the signal. */
  async wait(signal: AbortSignal, mostMs = Infinity): Promise<void> {
    const pauseMs = Math.max(0, Math.min(mostMs, this.#limitMs * (0.5 + this.#random() / 2)));
    this.#limitMs = Math.min(MOST_MS, this.#limitMs * 2);
    await pause(this.#clock, pauseMs, signal);
  }
}

/** Resolves after the time, or as soon as the signal aborts. */
function pause(clock: Clock, pauseMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const finish = (): void => {
      cancel();
      signal.removeEventListener("abort", finish);
      resolve();
    };
    const cancel = clock.after(pauseMs, finish);
    signal.addEventListener("abort", finish, { once: true });
  });
}
