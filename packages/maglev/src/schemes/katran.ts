import { compareNames } from "../backend.ts";
import type { NameOrder } from "../backend.ts";
import { murmur3Into } from "../hash/murmur3.ts";
import { Word64 } from "../hash/word64.ts";
import { xxHash64 } from "../hash/xxhash64.ts";
import { requireWholeWeights } from "./scheme.ts";
import type { PermutationOf, TableScheme, Weighting } from "./scheme.ts";

/** The 64-bit number by which Katran knows a real: its caller's `Endpoint.hash`. */
export type EndpointHash = (name: string) => bigint;

// Katran hashes the pair (endpoint hash, constant) under a seed, once for the offset and once for the skip.
const OFFSET_PAIR = { constant: 42, seed: 0 } as const;
const SKIP_PAIR = { constant: 2_718_281_828, seed: 2307 } as const;

const pair = new Uint8Array(16);
const pairView = new DataView(pair.buffer);
const first = new Word64();
const second = new Word64();

function hashPair(endpointHash: bigint, { constant, seed }: { constant: number; seed: number }): Word64 {
  pairView.setBigUint64(0, BigInt.asUintN(64, endpointHash), true);
  pairView.setUint32(8, constant, true);
  pairView.setUint32(12, 0, true);
  murmur3Into(pair, seed, first, second);
  return first;
}

/**
 * Katran's permutation. Katran's `MurmurHash3_x64_64(a, b)` is the first half of MurmurHash3 x64 128 over the two
 * numbers as 16 bytes. Katran's cursor arithmetic is 32 bits wide: above 65,537 slots it can wrap, this does not.
 *
 * @param endpointHash the number a real is known by, default xxHash64 of its name
 */
export function createKatranPermutation(endpointHash: EndpointHash = xxHash64): PermutationOf {
  return (name, size) => {
    const hash = endpointHash(name);
    return {
      offset: hashPair(hash, OFFSET_PAIR).modulo(size),
      skip: size > 2 ? hashPair(hash, SKIP_PAIR).modulo(size - 1) + 1 : 1,
    };
  };
}

/** Katran's turn order: by endpoint hash, by name where two are equal. */
export function createKatranOrder(endpointHash: EndpointHash = xxHash64): NameOrder {
  return (a, b) => {
    const x = BigInt.asUintN(64, endpointHash(a));
    const y = BigInt.asUintN(64, endpointHash(b));
    if (x === y) return compareNames(a, b);
    return x < y ? -1 : 1;
  };
}

/** Katran's first weights: in the first round a backend takes `weight` slots in a row, afterwards one a round. */
export const katranV1Weighting: Weighting = {
  name: "katran-v1",
  equalWeightsTakeTurns: false,
  giveTurns(weights, claim) {
    requireWholeWeights(weights, "katran-v1");
    for (let round = 1; ; round++) {
      for (let i = 0; i < weights.length; i++) {
        const turns = round === 1 ? (weights[i] as number) : 1;
        for (let turn = 0; turn < turns; turn++) if (!claim(i)) return;
      }
    }
  },
};

/** Katran's later weights: each round adds the weight to a sum; at the largest weight it is a turn and subtracted. */
export const katranV2Weighting: Weighting = {
  name: "katran-v2",
  equalWeightsTakeTurns: true,
  giveTurns(weights, claim) {
    requireWholeWeights(weights, "katran-v2");
    const largest = weights.reduce((a, b) => Math.max(a, b), 0);
    const sums = new Float64Array(weights.length);
    for (;;) {
      for (let i = 0; i < weights.length; i++) {
        const sum = (sums[i] as number) + (weights[i] as number);
        sums[i] = sum >= largest ? sum - largest : sum;
        if (sum >= largest && !claim(i)) return;
      }
    }
  },
};

/** A Katran scheme over a caller's own endpoint hashes. */
export function createKatranScheme(weighting: Weighting, endpointHash: EndpointHash = xxHash64): TableScheme {
  return {
    permutation: createKatranPermutation(endpointHash),
    weighting,
    order: createKatranOrder(endpointHash),
  };
}

/** Katran's `MaglevHash`, endpoints known by xxHash64 of their names. */
export const katranV1Scheme: TableScheme = createKatranScheme(katranV1Weighting);

/** Katran's `MaglevHashV2`, endpoints known by xxHash64 of their names. */
export const katranV2Scheme: TableScheme = createKatranScheme(katranV2Weighting);
