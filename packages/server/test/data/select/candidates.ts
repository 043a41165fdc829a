import type { Candidate, Flow } from "../../../src/data/select/selector.ts";
import { backendUnit } from "../units.ts";

/** A backend with as many connections as a test says. */
export interface TestCandidate extends Candidate {
  load: number;
}

/** Candidates called a, b, c… of these weights. */
export function candidates(...weights: readonly number[]): TestCandidate[] {
  return weights.map((weight, index) => {
    const candidate: TestCandidate = {
      backend: backendUnit(nameOf(index), { weight }),
      load: 0,
      connections: () => candidate.load,
    };
    return candidate;
  });
}

function nameOf(index: number): string {
  return index < 26 ? String.fromCharCode(97 + index) : `backend-${index}`;
}

/** A turn counter like a pool's. */
export function counter(start = 0): () => number {
  let turn = start;
  return () => turn++ >>> 0;
}

/** The flow of the client of that number, from 10.0.0.0/8. */
export function flow(client = 0, part: Partial<Flow> = {}): Flow {
  const clientAddress = `10.${(client >> 16) & 255}.${(client >> 8) & 255}.${client & 255}`;
  return { clientAddress, clientPort: 40_000, vip: "192.0.2.1", vipPort: 80, ...part };
}

/** How often each was picked. */
export function tally(size: number, picks: Iterable<number>): number[] {
  const counts = Array.from({ length: size }, () => 0);
  for (const pick of picks) (counts[pick] as number) += 1;
  return counts;
}

/** Picks so many times. */
export function* repeat(times: number, pick: (time: number) => number): Generator<number> {
  for (let time = 0; time < times; time++) yield pick(time);
}

/** A source of chance that gives the same numbers on every run (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
