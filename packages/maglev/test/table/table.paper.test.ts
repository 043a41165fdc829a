// Each test cites Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016.
import { describe, expect, test } from "@jest/globals";

import { buildTable, compare, envoyPermutation, evenness } from "../../src/index.ts";
import { fixedPermutations, numbered } from "../reference.ts";

const workedExample = {
  size: 7,
  permutation: fixedPermutations({
    B0: { offset: 3, skip: 4 },
    B1: { offset: 0, skip: 2 },
    B2: { offset: 3, skip: 1 },
  }),
};
const owners = (names: string[]) => {
  const table = buildTable(
    names.map((name) => ({ name })),
    workedExample,
  );
  return Array.from(table.slots, (index) => table.backends[index]?.name);
};

describe("§3.4 Maglev hashing", () => {
  test("table 1: permutations (3,4), (0,2), (3,1) over M = 7 fill the lookup table as printed", () => {
    expect(owners(["B0", "B1", "B2"])).toEqual(["B1", "B0", "B1", "B0", "B2", "B2", "B0"]);
  });

  test('"after B1 is removed … only row 6 needs to be changed" beside B1\'s own entries', () => {
    expect(owners(["B0", "B2"])).toEqual(["B0", "B0", "B0", "B0", "B2", "B2", "B2"]);
  });

  test('"M must be a prime number so that all values of skip are relatively prime to it"', () => {
    expect(() => buildTable(numbered(3), { size: 8 })).toThrow(/must be a prime.*nearest primes: 7 and 11/);
  });

  test("offset ← h1(name) mod M, skip ← h2(name) mod (M − 1) + 1", () => {
    for (const { name } of numbered(500)) {
      const { offset, skip } = envoyPermutation(name, 7);
      expect(offset >= 0 && offset < 7 && skip >= 1 && skip < 7).toBe(true);
    }
  });

  test('"each backend will receive an almost equal number of entries": the counts differ by at most 1', () => {
    const { min, max } = evenness(buildTable(numbered(300), { size: 65_537 }));
    expect([min, max]).toEqual([218, 219]);
  });

  test('"we choose M to be larger than 100 × N to ensure at most a 1 % difference in hash space"', () => {
    const { min, max } = evenness(buildTable(numbered(655), { size: 65_537 }));
    expect((max - min) / min).toBeLessThanOrEqual(0.01);
  });
});

describe("§5.3 consistent hashing", () => {
  test("a larger table is less disrupted by the same change", () => {
    const disrupted = (size: number) =>
      compare(buildTable(numbered(100), { size }), buildTable(numbered(99), { size })).disruptedFraction;
    expect(disrupted(655_373)).toBeLessThan(disrupted(65_537));
  });

  test("removing one of 1000 moves its own slots and few others (measured with Envoy's hashing: 0.59 %)", () => {
    const all = numbered(1000);
    const report = compare(buildTable(all, { size: 65_537 }), buildTable(all.slice(1), { size: 65_537 }));
    expect([65, 66]).toContain(report.movedFromRemoved);
    expect(report.movedBetweenKept).toBeGreaterThan(0);
    expect(report.disruptedFraction).toBeLessThan(0.01);
  });

  test("removing one of 100 moves under 1 % of the others' slots (measured: 0.57 %)", () => {
    const all = numbered(100);
    const report = compare(buildTable(all, { size: 65_537 }), buildTable(all.slice(1), { size: 65_537 }));
    expect(report.disruptedFraction).toBeLessThan(0.01);
  });
});
