import { jhash } from "@fiberlb/maglev";

import type { HashOfFlow } from "./flow-hash.ts";
import type { Candidate, Selector } from "./selector.ts";

const encoder = new TextEncoder();

/**
 * Highest random weight: each flow ranks all backends and goes to its first. When a backend leaves, only its own flows
 * move; when one comes, it takes only its own share (Thaler and Ravishankar, "Using Name-Based Mappings to Increase Hit
 * Rates", 1998; weights by Schindelhauer and Schomaker, 2005). Costs one mix and one logarithm a backend and pick.
 */
export function rendezvous(hashOf: HashOfFlow): Selector {
  let hashedFor: readonly Candidate[] | undefined;
  let idHashes: readonly number[] = [];
  return {
    pick(candidates, flow) {
      if (candidates !== hashedFor) {
        idHashes = candidates.map(({ backend }) => jhash(encoder.encode(backend.id)));
        hashedFor = candidates;
      }
      const flowHash = hashOf(flow);
      let best = 0;
      let lowest = Infinity;
      for (let index = 0; index < candidates.length; index++) {
        const uniform = (mix(flowHash ^ (idHashes[index] as number)) + 0.5) / 2 ** 32;
        const score = -Math.log(uniform) / (candidates[index] as Candidate).backend.weight;
        if (score >= lowest) continue;
        lowest = score;
        best = index;
      }
      return best;
    },
  };
}

/** MurmurHash3's finaliser: every input bit reaches every output bit. */
function mix(word: number): number {
  let mixed = word ^ (word >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
