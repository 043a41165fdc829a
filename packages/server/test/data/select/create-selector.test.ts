import { describe, expect, it } from "@jest/globals";

import { createSelector, type SelectorSources } from "../../../src/data/select/create-selector.ts";
import type { Algorithm } from "../../../src/snapshot/snapshot.ts";
import { poolUnit } from "../units.ts";
import { candidates, counter, flow, repeat, seededRandom, tally } from "./candidates.ts";

const sources = (): SelectorSources => ({
  next: counter(),
  nextSpare: counter(),
  random: seededRandom(5),
  table: () => undefined,
  progress: () => 1,
});

const ALGORITHMS: readonly Algorithm[] = [
  "ROUND_ROBIN",
  "LEAST_CONNECTIONS",
  "IP_HASH",
  "WEIGHTED_ROUND_ROBIN",
  "RANDOM",
  "MAGLEV",
];

describe("the selector of a pool", () => {
  it.each(ALGORITHMS)("with %s picks every backend sooner or later, and only candidates", (algorithm) => {
    const some = candidates(1, 2, 3);
    const selector = createSelector(poolUnit([], { algorithm }), sources());
    const counts = tally(
      3,
      repeat(600, (client) => selector.pick(some, flow(client))),
    );
    expect(counts).toHaveLength(3);
    for (const count of counts) expect(count).toBeGreaterThan(50);
  });

  it.each(ALGORITHMS)("with SOURCE_IP persistence keeps clients in place, though the algorithm is %s", (algorithm) => {
    const some = candidates(1, 1, 1, 1);
    const selector = createSelector(poolUnit([], { algorithm, sourceIpPersistence: true }), sources());
    for (let client = 0; client < 50; client++) {
      const picks = [...repeat(4, (time) => selector.pick(some, flow(client, { clientPort: 2000 + time })))];
      expect(new Set(picks).size).toBe(1);
    }
  });

  it.each<{ algorithm: Algorithm; slow: boolean }>([
    { algorithm: "ROUND_ROBIN", slow: true },
    { algorithm: "WEIGHTED_ROUND_ROBIN", slow: true },
    { algorithm: "LEAST_CONNECTIONS", slow: true },
    { algorithm: "RANDOM", slow: true },
    { algorithm: "IP_HASH", slow: false },
    { algorithm: "MAGLEV", slow: false },
  ])("starts a backend slowly with $algorithm: $slow", ({ algorithm, slow }) => {
    const some = candidates(1, 1);
    const progress: SelectorSources["progress"] = ({ backend }) => (backend.id === "b" ? 0 : 1);
    const selector = createSelector(poolUnit([], { algorithm, slowStartMs: 1000 }), { ...sources(), progress });
    const [, share = 0] = tally(
      2,
      repeat(1000, (client) => selector.pick(some, flow(client))),
    );
    expect(share < 300).toBe(slow);
  });
});
