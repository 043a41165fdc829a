import type { WeightedPoolUnit } from "../../snapshot/snapshot.ts";

/** One pool, or several that share requests by weight. */
export class WeightedPools {
  /**
   * Pools in the policy's order. A client whose session cookie names a backend of any of them belongs there: look at all
   * of their cookies before you {@link pick}, or the group's clients change pools with every request.
   */
  readonly ids: readonly string[];
  /** Sum of the weights up to and with each pool. */
  readonly #sums: readonly number[];
  readonly #total: number;

  constructor(pools: readonly WeightedPoolUnit[]) {
    this.ids = pools.map(({ poolId }) => poolId);
    let total = 0;
    this.#sums = pools.map(({ weight }) => (total += weight));
    this.#total = total;
  }

  /** @param random evenly from 0 to less than 1; the same number gives the same pool. Not looked at with one pool. */
  pick(random: number): string {
    const { ids } = this;
    if (ids.length === 1) return ids[0] as string;
    const at = random * this.#total;
    const index = this.#sums.findIndex((sum) => at < sum);
    // Weights of 0 alone, which the API refuses, leave the first.
    return ids[index === -1 ? 0 : index] as string;
  }
}
