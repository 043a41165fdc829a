import { expect, test } from "@jest/globals";
import fc from "fast-check";

import { isExpectedCode } from "../../../src/health/probes/expected-codes.ts";

test.each([
  ["200", [200], [199, 201, 500]],
  ["200,204", [200, 204], [201, 203, 205]],
  ["200, 204", [200, 204], [201]],
  ["200-299", [200, 250, 299], [199, 300]],
  ["200-299,301", [204, 301], [300, 302]],
  ["299-200", [], [200, 250, 299]],
  ["", [], [0, 200]],
  ["2xx", [], [200, 2]],
  ["200-", [], [200]],
  ["20", [], [20, 200]],
])("%j", (expected, yes, no) => {
  expect(yes.every((code) => isExpectedCode(code, expected))).toBe(true);
  expect(no.some((code) => isExpectedCode(code, expected))).toBe(false);
});

const code = fc.integer({ min: 100, max: 599 });

test("a list expects exactly its codes", () => {
  fc.assert(
    fc.property(fc.uniqueArray(code, { minLength: 1 }), code, (codes, asked) => {
      expect(isExpectedCode(asked, codes.join(","))).toBe(codes.includes(asked));
    }),
  );
});
