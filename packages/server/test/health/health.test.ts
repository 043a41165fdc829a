import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import {
  type HealthState,
  type Observation,
  observe,
  type Thresholds,
  unknownHealth,
} from "../../src/health/health.ts";

const pass: Observation = { passed: true };
const failure: Observation = { passed: false, reason: "connection refused by 127.0.0.1:1" };

/** `+` is a pass, `-` a failure; answers the health after each, U, + (ONLINE) or - (OFFLINE). */
function run(results: string, thresholds: Thresholds): string {
  let state = unknownHealth;
  return results
    .split("")
    .map((result) => {
      state = observe(state, result === "+" ? pass : failure, thresholds);
      return { UNKNOWN: "U", ONLINE: "+", OFFLINE: "-" }[state.health];
    })
    .join("");
}

describe("observe", () => {
  test.each([
    ["one pass at start is enough", { rise: 5, fall: 5 }, "+", "+"],
    ["one failure at start is enough", { rise: 5, fall: 5 }, "-", "-"],
    ["fall failures in a row take it out", { rise: 2, fall: 3 }, "+---", "+++-"],
    ["a pass in between starts the count anew", { rise: 2, fall: 3 }, "+--+--+---", "+++++++++-"],
    ["rise passes in a row bring it back", { rise: 2, fall: 3 }, "-++", "--+"],
    ["a failure in between starts the count anew", { rise: 3, fall: 1 }, "-++-++-+++", "---------+"],
    ["with 1 and 1 it follows every result", { rise: 1, fall: 1 }, "+-+--++", "+-+--++"],
    ["the first pass counts towards nothing later", { rise: 2, fall: 2 }, "+-+-+--", "++++++-"],
  ])("%s", (_, thresholds, results, expected) => {
    expect(run(results, thresholds)).toBe(expected);
  });

  test("keeps the reason of the last failure, also after passes", () => {
    const down = observe(unknownHealth, { passed: false, reason: "HTTP 503, expected 200" }, { rise: 1, fall: 1 });
    const up = observe(down, pass, { rise: 1, fall: 1 });
    expect(up).toEqual({ health: "ONLINE", passes: 1, failures: 0, lastFailure: "HTTP 503, expected 200" });
  });

  test("changes nothing in the state it was given", () => {
    const state = Object.freeze({ ...unknownHealth });
    expect(observe(state, failure, { rise: 1, fall: 1 })).not.toBe(state);
  });

  const anyResults = fc.array(fc.boolean(), { minLength: 1, maxLength: 60 });
  const anyThresholds = fc.record({ rise: fc.integer({ min: 1, max: 8 }), fall: fc.integer({ min: 1, max: 8 }) });

  test("a verdict changes exactly when enough results in a row say so", () => {
    fc.assert(
      fc.property(anyResults, anyThresholds, (results, thresholds) => {
        let state: HealthState = unknownHealth;
        let streak = 0;
        for (const [index, passed] of results.entries()) {
          streak = index > 0 && results[index - 1] === passed ? streak + 1 : 1;
          const before = state.health;
          state = observe(state, passed ? pass : failure, thresholds);
          const said = passed ? "ONLINE" : "OFFLINE";
          const needed = before === "UNKNOWN" ? 1 : passed ? thresholds.rise : thresholds.fall;
          expect(state.health).toBe(before === said || streak >= needed ? said : before);
          expect([state.passes, state.failures]).toEqual(passed ? [streak, 0] : [0, streak]);
        }
      }),
    );
  });
});
