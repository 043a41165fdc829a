import { expect, test } from "@jest/globals";

import { backoffMs } from "../src/backoff.ts";

test("doubles from 50 ms to 1 s", () => {
  const delays = [0, 1, 2, 3, 4, 5, 6, 1000].map((failures) => backoffMs(failures, () => 0));
  expect(delays).toEqual([50, 100, 200, 400, 800, 1000, 1000, 1000]);
});

test("chance takes off up to half", () => {
  expect(backoffMs(0, () => 0.5)).toBe(37.5);
  expect(backoffMs(9, () => 0.999)).toBeGreaterThan(500);
});
