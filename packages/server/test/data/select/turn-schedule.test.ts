import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import { scheduleTurns } from "../../../src/data/select/turn-schedule.ts";
import { tally } from "./candidates.ts";

const weightList = fc.array(fc.integer({ min: 1, max: 256 }), { minLength: 1, maxLength: 12 });

describe("a schedule of turns", () => {
  it.each([
    { weights: [3, 2, 1], turns: "ababac" },
    { weights: [1, 1, 1], turns: "abc" },
    { weights: [5, 1, 1], turns: "aaabaac" },
    { weights: [256], turns: "a" },
    { weights: [200, 100], turns: "aab" },
  ])("of weights $weights is $turns", ({ weights, turns }) => {
    expect(Array.from(scheduleTurns(weights), (index) => String.fromCharCode(97 + index)).join("")).toBe(turns);
  });

  it("gives each its weight's turns in a cycle", () => {
    fc.assert(
      fc.property(weightList, (weights) => {
        const counts = tally(weights.length, scheduleTurns(weights));
        const cycles = weights.map((weight, index) => weight / (counts[index] as number));
        expect(new Set(cycles).size).toBe(1);
      }),
    );
  });

  it("keeps everybody within one turn of its exact share, after any number of turns", () => {
    fc.assert(fc.property(weightList, (weights) => expect(largestDeviation(weights)).toBeLessThan(1)));
  });

  it("fits 1,000 backends of different weights", () => {
    const weights = Array.from({ length: 1000 }, (_, index) => 1 + (index % 256));
    expect(scheduleTurns(weights)).toHaveLength(weights.reduce((sum, weight) => sum + weight, 0));
  });
});

/** The largest distance from a backend's exact share over all prefixes of the cycle. */
function largestDeviation(weights: readonly number[]): number {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const counts = weights.map(() => 0);
  let largest = 0;
  scheduleTurns(weights).forEach((index, place) => {
    (counts[index] as number) += 1;
    weights.forEach((weight, one) => {
      largest = Math.max(largest, Math.abs((counts[one] as number) - ((place + 1) * weight) / total));
    });
  });
  return largest;
}
