import { describe, expect, test } from "@jest/globals";

import { nextHopsAfter, parseRouteLine } from "./route-line.ts";

describe("parseRouteLine", () => {
  test("reads a route with several next hops, to the microsecond", () => {
    const line =
      "[2026-11-20T16:09:41.650987] 203.0.113.1 proto bird metric 32 \\\tnexthop via 10.9.0.2 dev d0 weight 1 \\\tnexthop via 10.9.0.3 dev d0 weight 1 ";
    expect(parseRouteLine(line)).toEqual({
      atMs: Date.UTC(2026, 10, 20, 16, 9, 41) + 650.987,
      prefix: "203.0.113.1",
      kind: "set",
      nextHops: ["10.9.0.2", "10.9.0.3"],
    });
  });

  test("reads what was deleted, IPv6", () => {
    const line = "[2026-11-20T16:09:41.662773] Deleted 2001:db8:1::1 via 2001:db8:9::2 dev d0 metric 1024 pref medium";
    expect(parseRouteLine(line)).toMatchObject({
      prefix: "2001:db8:1::1",
      kind: "deleted",
      nextHops: ["2001:db8:9::2"],
    });
  });

  test.each([
    "[2026-11-20T16:09:41.638066] local 10.9.0.1 dev d0 table local proto kernel scope host src 10.9.0.1 ",
    "[2026-11-20T16:09:41.644895] 10.9.0.0/24 dev d0 proto kernel scope link src 10.9.0.1 ",
    "nonsense",
  ])("passes over %s", (line) => {
    expect(parseRouteLine(line)).toBeUndefined();
  });
});

describe("nextHopsAfter", () => {
  const before = new Set(["a", "b"]);

  test("a route that is set has the next hops that it names and no others", () => {
    expect([...nextHopsAfter(before, { atMs: 0, prefix: "p", kind: "set", nextHops: ["b", "c"] })]).toEqual(["b", "c"]);
  });

  test("of IPv6 one next hop can go alone", () => {
    expect([...nextHopsAfter(before, { atMs: 0, prefix: "p", kind: "deleted", nextHops: ["a"] })]).toEqual(["b"]);
  });
});
