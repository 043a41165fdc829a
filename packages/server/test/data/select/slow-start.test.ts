import { describe, expect, it } from "@jest/globals";

import { leastConnections } from "../../../src/data/select/least-connections.ts";
import { roundRobin } from "../../../src/data/select/round-robin.ts";
import { slowStart } from "../../../src/data/select/slow-start.ts";
import { weightedRoundRobin } from "../../../src/data/select/weighted-round-robin.ts";
import { candidates, counter, flow, repeat, seededRandom, tally } from "./candidates.ts";

const PICKS = 9000;

describe("slow start", () => {
  it.each([
    { progress: 0, share: 0.1 },
    { progress: 0.5, share: 0.5 },
    { progress: 1, share: 1 },
  ])("at progress $progress gives a backend $share of its turns, the others share the rest", ({ progress, share }) => {
    const some = candidates(1, 1, 1);
    const selector = slowStart({
      all: roundRobin(counter()),
      settled: roundRobin(counter()),

      progress: ({ backend }) => (backend.id === "c" ? progress : 1),
      random: seededRandom(3),
    });
    const counts = tally(
      3,
      repeat(PICKS, () => selector.pick(some, flow())),
    );
    const slow = (PICKS / 3) * share;
    [(PICKS - slow) / 2, (PICKS - slow) / 2, slow].forEach((expected, index) => {
      expect(Math.abs((counts[index] as number) - expected)).toBeLessThan(PICKS / 50);
    });
  });

  it("changes nothing when all are starting", () => {
    const selector = slowStart({
      all: roundRobin(counter()),
      settled: roundRobin(counter()),
      progress: () => 0,
      random: () => 0.99,
    });
    const some = candidates(1, 1);
    expect([...repeat(4, () => selector.pick(some, flow()))]).toEqual([0, 1, 0, 1]);
  });

  it("sends what a starting backend doesn't take by the algorithm: to the least loaded of the others", () => {
    const some = candidates(1, 1, 1);
    some[0]!.load = 9;
    some[1]!.load = 5;
    const selector = slowStart({
      all: leastConnections(counter()),
      settled: leastConnections(counter()),

      progress: ({ backend }) => (backend.id === "c" ? 0 : 1),
      random: () => 0.5,
    });
    expect(selector.pick(some, flow())).toBe(1);
  });

  it("counts a backend among the others as soon as it is through", () => {
    const progress = new Map([
      ["b", 0.2],
      ["c", 0.2],
    ]);
    const some = candidates(1, 1, 1);
    const selector = slowStart({
      all: weightedRoundRobin(counter()),
      settled: weightedRoundRobin(counter()),

      progress: ({ backend }) => progress.get(backend.id) ?? 1,
      random: () => 0.99,
    });
    expect(
      tally(
        3,
        repeat(30, () => selector.pick(some, flow())),
      ),
    ).toEqual([30, 0, 0]);
    progress.delete("b");
    const counts = tally(
      3,
      repeat(30, () => selector.pick(some, flow())),
    );
    expect(counts[2]).toBe(0);
    expect(counts[1]).toBeGreaterThanOrEqual(10);
  });
});
