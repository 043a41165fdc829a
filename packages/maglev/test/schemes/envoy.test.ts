import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import { buildTable, envoyPermutation, envoyScheme, envoyWeighting, evenness, xxHash64 } from "../../src/index.ts";

const keys = (prefix: string) => [90, 91, 92, 93, 94, 95].map((port) => ({ name: `${prefix}${port}` }));
const loopback = (...weights: number[]) => weights.map((weight, i) => ({ name: `127.0.0.1:${90 + i}`, weight }));

/** Envoy's rule in the plainest form: every backend is asked in every round. */
function plainTurns(weights: readonly number[], count: number): number[] {
  const sum = weights.reduce((a, b) => a + b, 0);
  const shares = weights.map((weight) => weight / sum);
  const largest = Math.max(...shares);
  const targets = weights.map(() => 0);
  const turns: number[] = [];
  for (let round = 1; turns.length < count; round++) {
    for (const [i, share] of shares.entries()) {
      if (round * share < (targets[i] as number)) continue;
      targets[i] = (targets[i] as number) + largest;
      turns.push(i);
    }
  }
  return turns.slice(0, count);
}

// Tables of Envoy's published unit test, maglev_lb_test.cc; slot → index of the host.
describe("Envoy's golden tables", () => {
  test("hosts by address", () => {
    expect([...buildTable(keys("127.0.0.1:"), { size: 7, ...envoyScheme }).slots]).toEqual([2, 4, 0, 1, 5, 0, 3]);
  });

  test("hosts by name", () => {
    expect([...buildTable(keys(""), { size: 7, ...envoyScheme }).slots]).toEqual([2, 5, 0, 3, 4, 1, 0]);
  });

  test.each([
    ["1 : 2", [1, 2], [1, 0, 0, 1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 0, 1]],
    ["1 : 1", [1, 1], [1, 0, 0, 1, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0, 1, 0, 1]],
    ["8 : 2", [8, 2], [1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0]],
  ])("weights %s over 17 slots", (_, weights, slots) => {
    expect([...buildTable(loopback(...weights), { size: 17, ...envoyScheme }).slots]).toEqual(slots);
  });

  test("a lookup by remainder goes round the table", () => {
    const table = buildTable(keys("127.0.0.1:"), { size: 7 });
    expect([10, 10n, 10n + 7n * 2n ** 40n].map((hash) => table.lookupByRemainder(hash))).toEqual([1, 1, 1]);
  });
});

describe("Envoy's parts", () => {
  test("the permutation is xxHash64 under seeds 0 and 1", () => {
    const { offset, skip } = envoyPermutation("10.0.0.1:80", 65_537);
    expect(offset).toBe(Number(xxHash64("10.0.0.1:80", 0) % 65_537n));
    expect(skip).toBe(Number(xxHash64("10.0.0.1:80", 1) % 65_536n) + 1);
  });

  test("turns are those of Envoy's loop, backend by backend", () => {
    const weight = fc.oneof(fc.constantFrom(1, 2, 256), fc.integer({ min: 1, max: 256 }));
    fc.assert(
      fc.property(fc.array(weight, { minLength: 1, maxLength: 30 }), (weights) => {
        const turns: number[] = [];
        envoyWeighting.giveTurns(Float64Array.from(weights), (position) => turns.push(position) < 500);
        expect(turns.join()).toBe(plainTurns(weights, 500).join());
        const written = new Int32Array(500);
        envoyWeighting.writeTurns?.(Float64Array.from(weights), written);
        expect(written.join()).toBe(turns.join());
      }),
    );
  });

  test("weights shared by all give the same table as none", () => {
    const slots = (weight: number) => buildTable(loopback(weight, weight, weight), { size: 1021 }).slots;
    expect(slots(7)).toEqual(slots(1));
  });

  test("slots are in proportion to weights, fractions included", () => {
    const { worstDeviation } = evenness(buildTable(loopback(0.5, 1.5, 3, 256), { size: 65_537 }));
    expect(worstDeviation).toBeLessThanOrEqual(2);
  });
});
