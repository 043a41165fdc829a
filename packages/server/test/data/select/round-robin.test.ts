import { describe, expect, it } from "@jest/globals";

import { roundRobin } from "../../../src/data/select/round-robin.ts";
import { candidates, counter, flow, repeat, tally } from "./candidates.ts";

describe("round robin", () => {
  it("takes backends in turn, whatever their weight", () => {
    const three = candidates(1, 5, 1);
    const selector = roundRobin(counter());
    expect([...repeat(6, () => selector.pick(three, flow()))]).toEqual([0, 1, 2, 0, 1, 2]);
  });

  it("keeps the order over workers that share the counter", () => {
    const three = candidates(1, 1, 1);
    const next = counter();
    const workers = [roundRobin(next), roundRobin(next)];
    const picks = [
      ...repeat(15, (time) => workers[time % 2 === 0 || time % 5 === 0 ? 0 : 1]?.pick(three, flow()) ?? -1),
    ];
    expect(tally(3, picks)).toEqual([5, 5, 5]);
  });

  it("goes on when the counter wraps around", () => {
    const selector = roundRobin(counter(2 ** 32 - 2));
    const four = candidates(1, 1, 1, 1);
    expect([...repeat(4, () => selector.pick(four, flow()))]).toEqual([2, 3, 0, 1]);
  });
});
