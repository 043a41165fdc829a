import type { Candidate, Selector } from "./selector.ts";

/**
 * The less loaded of two backends drawn at random, by weight. Close to least-connections without its herd: no two
 * workers rush to the same backend (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001).
 *
 * @param random uniform in [0, 1).
 */
export function twoChoices(random: () => number): Selector {
  let drawnFrom: readonly Candidate[] | undefined;
  let total = 0;
  return {
    pick(candidates) {
      if (candidates.length === 1) return 0;
      if (candidates !== drawnFrom) {
        total = candidates.reduce((sum, { backend }) => sum + backend.weight, 0);
        drawnFrom = candidates;
      }
      const first = draw(candidates, random() * total, -1);
      const firstWeight = (candidates[first] as Candidate).backend.weight;
      const second = draw(candidates, random() * (total - firstWeight), first);
      return load(candidates[second]) < load(candidates[first]) ? second : first;
    },
  };
}

/** The candidate in whose share of the total weight `point` lies, leaving one out. */
function draw(candidates: readonly Candidate[], point: number, leftOut: number): number {
  let rest = point;
  let last = 0;
  for (let index = 0; index < candidates.length; index++) {
    if (index === leftOut) continue;
    last = index;
    rest -= (candidates[index] as Candidate).backend.weight;
    if (rest < 0) return index;
  }
  return last;
}

function load(candidate: Candidate | undefined): number {
  return candidate === undefined ? Infinity : candidate.connections() / candidate.backend.weight;
}
