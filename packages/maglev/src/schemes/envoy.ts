import { scratchUtf8 } from "../hash/text.ts";
import { Word64 } from "../hash/word64.ts";
import { xxHash64Into } from "../hash/xxhash64.ts";
import type { Permutation, TableScheme, Weighting } from "./scheme.ts";

const hash = new Word64();

/**
 * Envoy's permutation: xxHash64 of the name, seed 0 for the offset, seed 1 for the skip. The name is the host's
 * `address:port`, or its host name or hash key where Envoy is configured to hash these.
 */
export function envoyPermutation(name: string, size: number): Permutation {
  const bytes = scratchUtf8(name);
  const offset = xxHash64Into(bytes, 0, hash).modulo(size);
  const skip = size > 2 ? xxHash64Into(bytes, 1, hash).modulo(size - 1) + 1 : 1;
  return { offset, skip };
}

/**
 * Envoy's weights: in round r a backend has a turn if r × weight has reached its target, and a turn raises the target
 * by the largest weight. Weights count relative to their sum, in double precision as in Envoy, so that ties break
 * alike. The heaviest backend has a turn in every round, one of a third of its weight in every third.
 */
export const envoyWeighting: Weighting = {
  name: "envoy",
  equalWeightsTakeTurns: true,
  giveTurns(weights, claim) {
    const sum = weights.reduce((total, weight) => total + weight, 0);
    const normalized = weights.map((weight) => weight / sum);
    const largest = normalized.reduce((a, b) => Math.max(a, b), 0);
    const targets = new Float64Array(weights.length);
    for (let round = 1; ; round++) {
      for (let i = 0; i < normalized.length; i++) {
        if (round * (normalized[i] as number) < (targets[i] as number)) continue;
        targets[i] = (targets[i] as number) + largest;
        if (!claim(i)) return;
      }
    }
  },
};

/** Envoy's tables: equal slot by slot to `envoy.load_balancing_policies.maglev` over the same names and weights. */
export const envoyScheme: TableScheme = { permutation: envoyPermutation, weighting: envoyWeighting };
