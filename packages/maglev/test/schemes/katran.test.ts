import { describe, expect, test } from "@jest/globals";

import {
  buildTable,
  createKatranPermutation,
  createKatranScheme,
  evenness,
  katranV1Scheme,
  katranV1Weighting,
  katranV2Scheme,
  katranV2Weighting,
  murmur3,
} from "../../src/index.ts";

/** Katran's tests number their endpoints: the name is the endpoint hash. */
const byNumber = (name: string): bigint => BigInt(name);
const twoToOne = [{ name: "1000", weight: 2 }, { name: "2000" }];

// Facts of Katran's published tests, MaglevHashTest.cpp and CHHelpersTest.cpp.
describe("Katran's published results", () => {
  test("V1 gives weights 2 and 1 four and three of seven slots", () => {
    const table = buildTable(twoToOne, { size: 7, ...createKatranScheme(katranV1Weighting, byNumber) });
    expect([...evenness(table).slotCounts]).toEqual([4, 3]);
  });

  test("V2 gives weights 2 and 1 five and two of seven slots", () => {
    const table = buildTable(twoToOne, { size: 7, ...createKatranScheme(katranV2Weighting, byNumber) });
    expect([...evenness(table).slotCounts]).toEqual([5, 2]);
  });

  test.each([katranV1Weighting, katranV2Weighting])("400 equal reals differ by one slot ($name)", (weighting) => {
    const reals = Array.from({ length: 400 }, (_, i) => ({ name: `${i}` }));
    const { min, max } = evenness(buildTable(reals, { size: 65_537, ...createKatranScheme(weighting, byNumber) }));
    expect(max - min).toBe(1);
  });

  test.each([katranV1Scheme, katranV2Scheme])("a single real fills the ring ($weighting.name)", (scheme) => {
    expect(new Set(buildTable([{ name: "only", weight: 5 }], { size: 7, ...scheme }).slots)).toEqual(new Set([0]));
  });
});

describe("Katran's parts", () => {
  test("the permutation is murmur3 over the endpoint hash and a constant, 16 bytes", () => {
    const pair = (constant: bigint) => new Uint8Array(BigUint64Array.of(0xdead_beef_cafe_baben, constant).buffer);
    expect(createKatranPermutation(() => 0xdead_beef_cafe_baben)("any", 65_537)).toEqual({
      offset: Number(murmur3(pair(42n), 0).first % 65_537n),
      skip: Number(murmur3(pair(2_718_281_828n), 2307).first % 65_536n) + 1,
    });
  });

  test("turns go by endpoint hash, not by name", () => {
    const table = buildTable([{ name: "9" }, { name: "10" }, { name: "200" }], {
      size: 7,
      ...createKatranScheme(katranV2Weighting, byNumber),
    });
    expect(table.backends.map(({ name }) => name)).toEqual(["9", "10", "200"]);
  });

  test("equal endpoint hashes fall back to the name", () => {
    const scheme = createKatranScheme(katranV2Weighting, () => 1n);
    const table = buildTable([{ name: "b" }, { name: "a" }], { size: 7, ...scheme });
    expect(table.backends.map(({ name }) => name)).toEqual(["a", "b"]);
  });

  test("V2 is in proportion to weights where V1 is not", () => {
    const backends = [
      { name: "a", weight: 30 },
      { name: "b", weight: 10 },
    ];
    const share = (scheme: typeof katranV1Scheme) => evenness(buildTable(backends, { size: 1021, ...scheme }));
    expect(share(katranV2Scheme).worstDeviation).toBeLessThan(2);
    expect(share(katranV1Scheme).worstDeviation).toBeGreaterThan(200);
  });
});
