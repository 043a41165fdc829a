import type { Candidate, Selector } from "./selector.ts";

/** The least share that a backend gets at the start: enough connections to warm up with. */
const LEAST_SHARE = 0.1;

/** How {@link slowStart} chooses, and what it needs to know. */
export interface SlowStartOptions {
  /** The algorithm, among all. */
  readonly all: Selector;
  /** The algorithm again, among those that are past their start: with turns of its own, or the two would be out of step. */
  readonly settled: Selector;
  /** How far a backend has come: 0 at its start, 1 = done. */
  readonly progress: (candidate: Candidate) => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/**
 * Gives backends that have just come into rotation a share that grows linearly, from a tenth, to what the algorithm
 * would give them. What they don't take goes where the algorithm sends it among the others.
 *
 * Works for every algorithm that doesn't promise a client its backend; around a hash it would break that promise.
 */
export function slowStart({ all, settled: amongSettled, progress, random }: SlowStartOptions): Selector {
  const hasSettled = (candidate: Candidate): boolean => progress(candidate) >= 1;
  let settledOf: readonly Candidate[] | undefined;
  let settled: readonly Candidate[] = [];
  return {
    pick(candidates, flow) {
      const picked = all.pick(candidates, flow);
      const share = progress(candidates[picked] as Candidate);
      if (share >= 1 || random() < Math.max(share, LEAST_SHARE)) return picked;
      const now = candidates.filter(hasSettled);
      if (candidates !== settledOf || now.length !== settled.length) {
        settled = now;
        settledOf = candidates;
      }
      if (settled.length === 0) return picked;
      return candidates.indexOf(settled[amongSettled.pick(settled, flow)] as Candidate);
    },
  };
}
