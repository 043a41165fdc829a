import { murmur3Into } from "../hash/murmur3.ts";
import { scratchUtf8 } from "../hash/text.ts";
import { Word64 } from "../hash/word64.ts";
import { requireWholeWeights } from "./scheme.ts";
import type { PermutationOf, TableScheme, Weighting } from "./scheme.ts";

/** Cilium's default `maglev.hashSeed`: 12 bytes in base64, the first four of which seed the permutation. */
export const CILIUM_DEFAULT_HASH_SEED = "JLfvgnHc2kaSUFaI";
const SEED_BYTES = 12;

const first = new Word64();
const second = new Word64();

/** The murmur seed inside a hash seed: its first four bytes, most significant first. */
function murmurSeedOf(hashSeed: string): number {
  let decoded: string;
  try {
    decoded = atob(hashSeed);
  } catch (cause) {
    throw new TypeError(`Cannot decode the Cilium hash seed "${hashSeed}": it must be base64`, { cause });
  }
  if (decoded.length !== SEED_BYTES) {
    throw new RangeError(
      `Cannot use the Cilium hash seed "${hashSeed}": it holds ${decoded.length} bytes, not ${SEED_BYTES}`,
    );
  }
  return [0, 1, 2, 3].reduce((seed, i) => ((seed << 8) | decoded.charCodeAt(i)) >>> 0, 0);
}

/**
 * Cilium's permutation: both halves of MurmurHash3 x64 128 of the name.
 * @param hashSeed `maglev.hashSeed` of the cluster, default {@link CILIUM_DEFAULT_HASH_SEED}
 * @throws TypeError or RangeError if the seed is not base64 of 12 bytes
 */
export function createCiliumPermutation(hashSeed = CILIUM_DEFAULT_HASH_SEED): PermutationOf {
  const seed = murmurSeedOf(hashSeed);
  return (name, size) => {
    murmur3Into(scratchUtf8(name), seed, first, second);
    return { offset: first.modulo(size), skip: size > 2 ? second.modulo(size - 1) + 1 : 1 };
  };
}

/**
 * Cilium's weights: turn n goes to backend n mod N, or to the next one after it whose n × weight has reached its
 * counter; a turn raises the counter by the sum of weights. Counters start at weight ÷ N and are truncated before the
 * comparison. A mean weight below 2 means no weights at all, as in Cilium.
 */
export const ciliumWeighting: Weighting = {
  name: "cilium",
  equalWeightsTakeTurns: true,
  giveTurns(weights, claim) {
    requireWholeWeights(weights, "cilium");
    const count = weights.length;
    const sum = weights.reduce((total, weight) => total + weight, 0);
    const counters = weights.map((weight) => weight / count);
    const isWeighted = Math.floor(sum / count) > 1;
    for (let turn = 1; ; turn++) {
      let i = (turn - 1) % count;
      if (isWeighted) {
        while (turn * (weights[i] as number) < Math.trunc(counters[i] as number)) i = (i + 1) % count;
        counters[i] = (counters[i] as number) + sum;
      }
      if (!claim(i)) return;
    }
  },
};

/** Cilium's tables over the same names and weights, with its default hash seed. */
export const ciliumScheme: TableScheme = { permutation: createCiliumPermutation(), weighting: ciliumWeighting };
