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

/** The backends of one weight: they are due in the same rounds. */
interface WeightClass {
  readonly share: number;
  readonly members: Int32Array;
  target: number;
}

function classify(weights: Float64Array): WeightClass[] {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const members = new Map<number, number[]>();
  for (const [position, weight] of weights.entries()) {
    const known = members.get(weight);
    if (known === undefined) members.set(weight, [position]);
    else known.push(position);
  }
  return Array.from(members, ([weight, positions]) => ({
    share: weight / sum,
    members: Int32Array.from(positions),
    target: 0,
  }));
}

/** Deals out turns round by round. */
class Rounds {
  readonly #classes: readonly WeightClass[];
  readonly #largest: number;
  readonly #classOf: Int32Array;
  readonly #isDue: Uint8Array;
  readonly #everyone: Int32Array;
  readonly #positions: Int32Array;
  #round = 0;

  constructor(weights: Float64Array) {
    this.#classes = classify(weights);
    this.#largest = this.#classes.reduce((share, each) => Math.max(share, each.share), 0);
    this.#everyone = new Int32Array(weights.length);
    for (let position = 0; position < weights.length; position++) this.#everyone[position] = position;
    this.#positions = new Int32Array(weights.length);
    this.#classOf = new Int32Array(weights.length);
    this.#isDue = new Uint8Array(this.#classes.length);
    for (const [index, { members }] of this.#classes.entries())
      for (const position of members) this.#classOf[position] = index;
  }

  /** Positions of the backends with a turn in the next round, in turn order; overwritten by the next call. */
  next(): Int32Array {
    this.#round++;
    let dueCount = 0;
    let only: WeightClass | undefined;
    for (let index = 0; index < this.#classes.length; index++) {
      const each = this.#classes[index] as WeightClass;
      const isDue = this.#round * each.share >= each.target;
      this.#isDue[index] = Number(isDue);
      if (!isDue) continue;
      each.target += this.#largest;
      dueCount++;
      only = each;
    }
    if (dueCount === this.#classes.length) return this.#everyone;
    return dueCount === 1 && only !== undefined ? only.members : this.#merge();
  }

  /** The members of due classes in turn order. */
  #merge(): Int32Array {
    let count = 0;
    for (let position = 0; position < this.#classOf.length; position++) {
      if (this.#isDue[this.#classOf[position] as number] === 1) this.#positions[count++] = position;
    }
    return this.#positions.subarray(0, count);
  }
}

/**
 * Envoy's weights: in round r a backend has a turn if r × weight has reached its target, and a turn raises the target
 * by the largest weight. Weights count relative to their sum, in double precision as in Envoy, so that ties break
 * alike. The heaviest backend has a turn in every round, one of a third of its weight in every third.
 *
 * The test is made once for all backends of one weight, so that a round in which few have a turn is short.
 */
export const envoyWeighting: Weighting = {
  name: "envoy",
  equalWeightsTakeTurns: true,
  giveTurns(weights, claim) {
    const rounds = new Rounds(weights);
    for (;;) for (const position of rounds.next()) if (!claim(position)) return;
  },
  writeTurns(weights, turns) {
    const rounds = new Rounds(weights);
    for (let turn = 0; turn < turns.length;) {
      const positions = rounds.next();
      turns.set(positions.subarray(0, turns.length - turn), turn);
      turn += positions.length;
    }
  },
};

/** Envoy's tables: equal slot by slot to `envoy.load_balancing_policies.maglev` over the same names and weights. */
export const envoyScheme: TableScheme = { permutation: envoyPermutation, weighting: envoyWeighting };
