import type { Candidate, Selector } from "./selector.ts";

/**
 * The backend with the fewest connections for its weight, counted over all workers at the moment of the pick.
 * Backends that are level take turns, each as often as its weight says.
 *
 * @param next the pool's turn counter, one for all workers.
 */
export function leastConnections(next: () => number): Selector {
  // Reused from pick to pick: indices that share the lowest load so far.
  const level: number[] = [];
  return {
    pick(candidates) {
      level.length = 0;
      let lowest = Infinity;
      for (let index = 0; index < candidates.length; index++) {
        const candidate = candidates[index] as Candidate;
        const load = candidate.connections() / candidate.backend.weight;
        if (load > lowest) continue;
        if (load < lowest) level.length = 0;
        lowest = load;
        level.push(index);
      }
      return level.length === 1 ? (level[0] as number) : takeTurns(candidates, level, next());
    },
  };
}

function takeTurns(candidates: readonly Candidate[], level: readonly number[], turn: number): number {
  const weightOf = (index: number): number => (candidates[index] as Candidate).backend.weight;
  let rest = turn % level.reduce((sum, index) => sum + weightOf(index), 0);
  for (const index of level) {
    rest -= weightOf(index);
    if (rest < 0) return index;
  }
  return level[0] as number;
}
