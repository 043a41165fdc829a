import { describe, expect, it } from "@jest/globals";

import { WeightedPools } from "../../../src/data/route/weighted-pools.ts";

describe("WeightedPools", () => {
  const split = new WeightedPools([
    { poolId: "stable", weight: 90 },
    { poolId: "off", weight: 0 },
    { poolId: "canary", weight: 10 },
  ]);

  it.each([
    [0, "stable"],
    [0.899_999, "stable"],
    [0.9, "canary"],
    [0.999_999_999, "canary"],
  ])("picks for %p: %s", (random, pool) => expect(split.pick(random)).toBe(pool));

  it("shares by weight and gives nothing to weight 0", () => {
    const picked = Map.groupBy(
      Array.from({ length: 1000 }, (_, i) => split.pick(i / 1000)),
      (pool) => pool,
    );
    expect([...picked].map(([pool, all]) => [pool, all.length])).toEqual([
      ["stable", 900],
      ["canary", 100],
    ]);
  });

  it("has all pools of the group for those who look for a session", () => {
    expect(split.ids).toEqual(["stable", "off", "canary"]);
  });

  it("gives everything to a single pool whatever its weight", () => {
    expect(new WeightedPools([{ poolId: "only", weight: 0 }]).pick(0.5)).toBe("only");
  });
});
