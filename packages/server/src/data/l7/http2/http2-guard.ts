import type { Clock } from "../../../clock.ts";

/** How often something may happen. */
export interface RateLimit {
  /** At once. */
  readonly burst: number;
  /** In the long run. */
  readonly perSecond: number;
}

const MS_PER_S = 1000;

/** A bucket of tokens: tells when something happens too often to be meant well. */
export class FloodGuard {
  readonly #limit: RateLimit;
  readonly #clock: Clock;
  #tokens: number;
  #filledAtMs: number;

  constructor(limit: RateLimit, clock: Clock) {
    this.#limit = limit;
    this.#clock = clock;
    this.#tokens = limit.burst;
    this.#filledAtMs = clock.nowMs();
  }

  /** It has happened. @returns false when that was too often. */
  spend(): boolean {
    if (this.#tokens < 1) this.#fill();
    this.#tokens -= 1;
    return this.#tokens >= 0;
  }

  #fill(): void {
    const nowMs = this.#clock.nowMs();
    const { burst, perSecond } = this.#limit;
    this.#tokens = Math.min(burst, this.#tokens + ((nowMs - this.#filledAtMs) * perSecond) / MS_PER_S);
    this.#filledAtMs = nowMs;
  }
}
