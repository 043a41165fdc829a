import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import { leastConnections } from "../../../src/data/select/least-connections.ts";
import { candidates, counter, flow, repeat, tally } from "./candidates.ts";

describe("least connections", () => {
  it.each([
    { weights: [1, 1, 1], loads: [3, 1, 2], picked: 1 },
    { weights: [1, 4], loads: [2, 7], picked: 1 },
    { weights: [1, 4], loads: [2, 9], picked: 0 },
    { weights: [1], loads: [100], picked: 0 },
  ])("with loads $loads at weights $weights picks number $picked", ({ weights, loads, picked }) => {
    const some = candidates(...weights);
    loads.forEach((load, index) => (some[index]!.load = load));
    expect(leastConnections(counter()).pick(some, flow())).toBe(picked);
  });

  it("lets level backends take turns", () => {
    const some = candidates(1, 1, 1, 1);
    some[1]!.load = 1;
    const selector = leastConnections(counter());
    expect([...repeat(6, () => selector.pick(some, flow()))]).toEqual([0, 2, 3, 0, 2, 3]);
  });

  it("gives idle backends turns by weight", () => {
    const selector = leastConnections(counter());
    const some = candidates(3, 1);
    expect(
      tally(
        2,
        repeat(8, () => selector.pick(some, flow())),
      ),
    ).toEqual([6, 2]);
  });

  it("never picks one that is more loaded for its weight than another", () => {
    const backend = fc.record({ weight: fc.integer({ min: 1, max: 256 }), load: fc.nat(50) });
    fc.assert(
      fc.property(fc.array(backend, { minLength: 1, maxLength: 20 }), fc.nat(), (backends, turn) => {
        const some = candidates(...backends.map(({ weight }) => weight));
        backends.forEach(({ load }, index) => (some[index]!.load = load));
        const picked = leastConnections(counter(turn)).pick(some, flow());
        const ratios = backends.map(({ load, weight }) => load / weight);
        expect(ratios[picked]).toBe(Math.min(...ratios));
      }),
    );
  });

  it("fills up in proportion to the weights", () => {
    const selector = leastConnections(counter());
    const some = candidates(3, 2, 1);
    for (let connection = 0; connection < 60; connection++) some[selector.pick(some, flow())]!.load += 1;
    expect(some.map(({ load }) => load)).toEqual([30, 20, 10]);
  });
});
