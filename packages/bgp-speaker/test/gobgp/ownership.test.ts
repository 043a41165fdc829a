import { expect, test } from "@jest/globals";

import { identifierOf, isOurs } from "../../src/gobgp/ownership.ts";

test("an owner has one mark for ever, others have others, and nobody has 0", () => {
  expect(identifierOf("fiberlb")).toBe(identifierOf("fiberlb"));
  const marks = new Set(Array.from({ length: 1000 }, (_, index) => identifierOf(`owner ${index}`)));
  expect(marks.size).toBe(1000);
  expect(marks.has(0)).toBe(false);
  // Routes of a running daemon carry it: it must not change with a new version.
  expect(identifierOf("fiberlb")).toBe(FIBERLB);
});

const FIBERLB = 2_640_922_724;

test("ours is what came from no peer and has our mark", () => {
  for (const neighborIp of ["", "<nil>", "invalid IP"]) {
    expect(isOurs({ neighborIp, identifier: 7 }, 7)).toBe(true);
    expect(isOurs({ neighborIp, identifier: 0 }, 7)).toBe(false);
  }
  expect(isOurs({ neighborIp: "10.0.0.254", identifier: 7 }, 7)).toBe(false);
});
