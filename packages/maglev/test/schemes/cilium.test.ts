import { describe, expect, test } from "@jest/globals";

import { buildTable, ciliumScheme, compare, createCiliumPermutation, evenness, murmur3 } from "../../src/index.ts";
import { numbered } from "../reference.ts";

const weighted = [
  { name: "one", weight: 2 },
  { name: "three", weight: 13 },
  { name: "two", weight: 111 },
  { name: "tzwe", weight: 10 },
];
const options = { size: 1021, ...ciliumScheme };

// Facts of Cilium's published test, maglev_test.go.
describe("Cilium's published results", () => {
  test("slots per backend under weights 2, 13, 111, 10", () => {
    expect([...evenness(buildTable(weighted, options)).slotCounts]).toEqual([16, 98, 832, 75]);
  });

  test("removing a weighted backend disturbs less than 1 % of the table", () => {
    const report = compare(buildTable(weighted, options), buildTable(weighted.slice(1), options));
    expect(report.movedFromRemoved).toBe(16);
    expect(report.disruptedFraction).toBeLessThan(0.01);
  });

  test("removing one of three equal backends disturbs less than 1 % of the table", () => {
    const [one, three, two] = [{ name: "one" }, { name: "three" }, { name: "two" }];
    const report = compare(buildTable([one, three, two], options), buildTable([one, three], options));
    expect(report.disruptedFraction).toBeLessThan(0.01);
  });
});

describe("Cilium's parts", () => {
  test("the permutation is both halves of murmur3 under the first four bytes of the hash seed", () => {
    const { first, second } = murmur3("10.0.0.1:80", 0x24b7ef82);
    expect(createCiliumPermutation()("10.0.0.1:80", 16_381)).toEqual({
      offset: Number(first % 16_381n),
      skip: Number(second % 16_380n) + 1,
    });
  });

  test("another hash seed gives another table", () => {
    const permutation = createCiliumPermutation(btoa("twelve bytes"));
    const own = buildTable(numbered(10), { ...options, permutation });
    expect(own.slots).not.toEqual(buildTable(numbered(10), options).slots);
  });

  test("a mean weight below two counts as no weights", () => {
    const uneven = [{ name: "a", weight: 2 }, { name: "b" }, { name: "c" }];
    expect(buildTable(uneven, options).slots).toEqual(
      buildTable(
        uneven.map(({ name }) => ({ name })),
        options,
      ).slots,
    );
  });

  test.each([
    ["not base64!", /must be base64/],
    ["c2hvcnQ=", /holds 5 bytes, not 12/],
  ])("the hash seed %j is refused", (seed, message) => {
    expect(() => createCiliumPermutation(seed)).toThrow(message);
  });

  test("a fractional weight is refused", () => {
    expect(() => buildTable([{ name: "a", weight: 2.5 }, { name: "b" }], options)).toThrow(/2.5 with cilium weighting/);
  });
});
