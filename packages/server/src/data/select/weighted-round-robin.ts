import type { Candidate, Selector } from "./selector.ts";

/**
 * Backends in turn, each as often as its weight says, spread evenly over the cycle instead of in blocks: 3:2:1 gives
 * `a b a c b a`, not `a a a b b c`.
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

/**
 * One cycle of turns: indices into `weights`, each as often as its weight after the common divisor is taken out.
 *
 * Turn j of a weight w is due at (j + ½) ÷ w of the cycle, and turns are taken in the order they are due (the
 * Webster/Sainte-Laguë method). Sorted by counting, so that 256,000 turns (1,000 backends of weight 256) take
 * milliseconds.
 */
export function scheduleTurns(weights: readonly number[]): Uint16Array<ArrayBuffer> {
  const divisor = weights.reduce(greatestCommonDivisor, 0);
  const turns = weights.map((weight) => weight / divisor);
  const total = turns.reduce((sum, count) => sum + count, 0);
  const nextPlace = new Uint32Array(total + 1);
  forEachTurn(turns, total, (due) => (nextPlace[due + 1] as number)++);
  for (let due = 1; due <= total; due++) (nextPlace[due] as number) += nextPlace[due - 1] as number;
  const schedule = new Uint16Array(total);
  forEachTurn(turns, total, (due, index) => {
    const place = nextPlace[due] as number;
    nextPlace[due] = place + 1;
    schedule[place] = index;
  });
  return schedule;
}

function forEachTurn(turns: readonly number[], total: number, visit: (due: number, index: number) => void): void {
  turns.forEach((count, index) => {
    const interval = total / count;
    for (let turn = 0; turn < count; turn++) visit(Math.floor((turn + 0.5) * interval), index);
  });
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
