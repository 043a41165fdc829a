import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import { twoChoices } from "../../../src/data/select/two-choices.ts";
import { candidates, flow, repeat, seededRandom, tally } from "./candidates.ts";

describe("two random choices", () => {
  it("takes the less loaded of two different backends", () => {
    const draws = [0.1, 0.1]; // first: a; second, among b and c: b
    const some = candidates(1, 1, 1);
    some[0]!.load = 5;
    some[1]!.load = 4;
    expect(twoChoices(() => draws.shift() ?? 0).pick(some, flow())).toBe(1);
  });

  it("keeps the first draw when both are level", () => {
    const draws = [0.9, 0.1];
    expect(twoChoices(() => draws.shift() ?? 0).pick(candidates(1, 1, 1), flow())).toBe(2);
  });

  it("never picks the most loaded of at least two", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(100), { minLength: 2, maxLength: 10 }), fc.nat(), (loads, seed) => {
        const some = candidates(...loads.map(() => 1));
        loads.forEach((load, index) => (some[index]!.load = load));
        const picked = twoChoices(seededRandom(seed)).pick(some, flow());
        expect(loads[picked]).toBeLessThan(Math.max(...loads));
      }),
    );
  });

  it("gives idle backends their weight's share", () => {
    const selector = twoChoices(seededRandom(1));
    const some = candidates(3, 2, 1);
    const counts = tally(
      3,
      repeat(6000, () => selector.pick(some, flow())),
    );
    [3000, 2000, 1000].forEach((share, index) => {
      expect(Math.abs((counts[index] as number) - share)).toBeLessThan(200);
    });
  });

  it("keeps loads closer together than one choice would", () => {
    const some = candidates(...Array.from({ length: 50 }, () => 1));
    const selector = twoChoices(seededRandom(7));
    for (let connection = 0; connection < 5000; connection++) some[selector.pick(some, flow())]!.load += 1;
    // One choice: 100 ± 30 or so; two: within log log n of the mean.
    expect(Math.max(...some.map(({ load }) => load))).toBeLessThanOrEqual(104);
  });

  it("stays in range at the ends of chance", () => {
    const end = 1 - Number.EPSILON;
    for (const chance of [0, end])
      expect([0, 1, 2]).toContain(twoChoices(() => chance).pick(candidates(1, 1, 1), flow()));
    expect(twoChoices(() => end).pick(candidates(4), flow())).toBe(0);
  });
});
