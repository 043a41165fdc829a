import type { Candidate, Selector } from "./selector.ts";
import { scheduleTurns } from "./turn-schedule.ts";

/**
 * Backends in turn, each as often as its weight says, spread evenly over the cycle instead of in blocks: 3:2:1 gives
 * `a b a b a c`, not `a a a b b c`.
 *
 * All workers follow the same schedule and share the counter into it, so the shares are exact over all of them.
 *
 * @param next the pool's turn counter, one for all workers.
 */
export function weightedRoundRobin(next: () => number): Selector {
  let scheduledFor: readonly Candidate[] | undefined;
  let schedule = new Uint16Array(0);
  return {
    pick(candidates) {
      if (candidates !== scheduledFor) {
        schedule = scheduleTurns(candidates.map(({ backend }) => backend.weight));
        scheduledFor = candidates;
      }
      return schedule[next() % schedule.length] as number;
    },
  };
}
