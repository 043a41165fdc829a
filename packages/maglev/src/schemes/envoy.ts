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
  readonly members: number[];
  target: number;
}

function classify(weights: Float64Array): WeightClass[] {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const classes = new Map<number, WeightClass>();
  for (const [position, weight] of weights.entries()) {
    const known = classes.get(weight);
    if (known === undefined) classes.set(weight, { share: weight / sum, members: [position], target: 0 });
    else known.members.push(position);
  }
  return [...classes.values()];
}

/** Merges the members of due classes into turn order. */
class TurnOrder {
  readonly #classOf: Int32Array;
  readonly #isDue: Uint8Array;
  readonly #everyone: readonly number[];
  readonly #positions: number[] = [];

  constructor(count: number, classes: readonly WeightClass[]) {
    this.#everyone = Array.from({ length: count }, (_, position) => position);
    this.#classOf = new Int32Array(count);
    this.#isDue = new Uint8Array(classes.length);
    for (const [index, { members }] of classes.entries())
      for (const position of members) this.#classOf[position] = index;
  }

  /** Positions of the backends in the classes of these indexes; overwritten by the next call. */
  of(due: readonly number[], classes: readonly WeightClass[]): readonly number[] {
    const [only] = due;
    if (due.length === 1 && only !== undefined) return classes[only]?.members ?? [];
    if (due.length === classes.length) return this.#everyone;
    this.#isDue.fill(0);
    for (const index of due) this.#isDue[index] = 1;
    this.#positions.length = 0;
    for (let position = 0; position < this.#classOf.length; position++) {
      if (this.#isDue[this.#classOf[position] as number] === 1) this.#positions.push(position);
    }
    return this.#positions;
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
    const classes = classify(weights);
    const largest = classes.reduce((share, each) => Math.max(share, each.share), 0);
    const order = new TurnOrder(weights.length, classes);
    const due: number[] = [];
    for (let round = 1; ; round++) {
      due.length = 0;
      for (let index = 0; index < classes.length; index++) {
        const each = classes[index] as WeightClass;
        if (round * each.share < each.target) continue;
        each.target += largest;
        due.push(index);
      }
      for (const position of order.of(due, classes)) if (!claim(position)) return;
    }
  },
};

/** Envoy's tables: equal slot by slot to `envoy.load_balancing_policies.maglev` over the same names and weights. */
export const envoyScheme: TableScheme = { permutation: envoyPermutation, weighting: envoyWeighting };
