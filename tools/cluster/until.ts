import { setTimeout as sleep } from "node:timers/promises";

const PACE_MS = 20;

/** How {@link until} asks. */
export interface UntilOptions {
  /** Default 30 s. */
  readonly deadlineMs?: number;
  /** Between two questions. Default 20 ms. */
  readonly paceMs?: number;
}

/**
 * Asks again and again until the answer is as wanted, and gives that answer. A question that throws counts as a wrong answer.
 * @throws Error that says what was waited for and the last answer, after the deadline.
 */
export async function until<T>(
  what: string,
  ask: () => T | Promise<T>,
  holds: (answer: T) => boolean,
  { deadlineMs = 30_000, paceMs = PACE_MS }: UntilOptions = {},
): Promise<T> {
  const deadline = performance.now() + deadlineMs;
  let last: string;
  do {
    try {
      const answer = await ask();
      if (holds(answer)) return answer;
      last = JSON.stringify(answer);
    } catch (error) {
      last = (error as Error).message;
    }
    await sleep(paceMs);
  } while (performance.now() < deadline);
  throw new Error(`still not so after ${deadlineMs / 1000} s: ${what}; last answer: ${last}`);
}
