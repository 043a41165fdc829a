import type { Selector } from "./selector.ts";

/**
 * Every backend in turn, whatever its weight.
 *
 * @param next the pool's turn counter. It is one counter for all workers, so that the turn order holds over all of them.
 */
export function roundRobin(next: () => number): Selector {
  return { pick: (candidates) => next() % candidates.length };
}
