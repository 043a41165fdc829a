import type { NameOrder } from "../backend.ts";

/** Where a backend's preference list starts and how far it steps: slot j is `(offset + j × skip) mod size`. */
export interface Permutation {
  /** 0 … size − 1 */
  readonly offset: number;
  /** 1 … size − 1 */
  readonly skip: number;
}

/** Derives a backend's permutation from its name. Must be pure: a builder calls it once a name. */
export type PermutationOf = (name: string, size: number) => Permutation;

/** Gives the next turn to the backend of that position in turn order; false once every slot has its turn. */
export type Claim = (position: number) => boolean;

/** Decides whose turn it is when weights differ. */
export interface Weighting {
  readonly name: string;
  /** Whether equal weights give every backend one slot a round; then the faster unweighted fill is used. */
  readonly equalWeightsTakeTurns: boolean;
  /**
   * Calls `claim` for one position after the other until it returns false. Must give turns for ever: the table, not
   * the weighting, knows when it is full.
   *
   * @param weights of the backends in turn order, all > 0
   */
  giveTurns(weights: Float64Array, claim: Claim): void;
  /**
   * If given, used instead of {@link giveTurns}: writes the same positions into all of `turns`. Faster where a weighting
   * knows many turns at a time, for a call per turn takes a quarter of a fill.
   */
  writeTurns?(weights: Float64Array, turns: Int32Array): void;
}

/** All that another implementation must share for its tables to be equal slot by slot. */
export interface TableScheme {
  readonly permutation: PermutationOf;
  readonly weighting: Weighting;
  /** Order in which backends take their turns; default {@link compareNames}. */
  readonly order?: NameOrder;
}

/** @throws RangeError if a weighting that counts in whole numbers is given another weight */
export function requireWholeWeights(weights: Float64Array, weighting: string): void {
  const broken = weights.find((weight) => !Number.isInteger(weight));
  if (broken === undefined) return;
  throw new RangeError(`Cannot use weight ${broken} with ${weighting} weighting: it takes whole numbers only`);
}
