import { describe, expect, it } from "@jest/globals";

import { weightedRoundRobin } from "../../../src/data/select/weighted-round-robin.ts";
import { candidates, counter, flow, repeat, tally } from "./candidates.ts";

describe("weighted round robin", () => {
  it("is exact over workers that share the counter: 3:2:1 gives 15 connections 7 or 8, 5, 2 or 3", () => {
    const three = candidates(3, 2, 1);
    const next = counter();
    const workers = [weightedRoundRobin(next), weightedRoundRobin(next)];
    const picks = repeat(15, (time) => workers[Math.floor(time / 4) % 2]?.pick(three, flow()) ?? -1);
    tally(3, picks).forEach((count, index) => {
      expect(Math.abs(count - ([7.5, 5, 2.5][index] as number))).toBeLessThanOrEqual(1);
    });
  });

  it("follows a new set of candidates", () => {
    const selector = weightedRoundRobin(counter());
    const before = candidates(1, 1);
    selector.pick(before, flow());
    const after = candidates(1, 9);
    expect(
      tally(
        2,
        repeat(10, () => selector.pick(after, flow())),
      ),
    ).toEqual([1, 9]);
  });
});
