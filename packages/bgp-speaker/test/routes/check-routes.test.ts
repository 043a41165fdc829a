import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import { type Route, RouteError } from "../../src/index.ts";
import { RouteReader } from "../../src/routes/check-routes.ts";
import { routeOf } from "../../src/routes/path.ts";
import { anyPath } from "../arbitraries.ts";
import { route } from "../lab/routes.ts";

type Bare = Parameters<typeof route>[0];

const read = (...routes: Bare[]) => [...new RouteReader().read(routes.map(route)).values()];

test("reads every attribute, communities in order and each once", () => {
  const attributes = { communities: ["65535:0", "1:2", "65535:0"], largeCommunities: ["3:2:1", "1:2:3"] };
  expect(
    read({ prefix: "203.0.113.1/32", nextHop: "10.0.0.1", ...attributes, localPreference: 0, med: 4294967295 }),
  ).toEqual([
    {
      prefix: "203.0.113.1/32",
      nextHop: "10.0.0.1",
      communities: [0x0001_0002, 0xffff_0000],
      largeCommunities: [
        [1, 2, 3],
        [3, 2, 1],
      ],
      localPreference: 0,
      med: 4294967295,
    },
  ]);
});

test("addresses in any spelling are one", () => {
  expect(read({ prefix: "2001:DB8:0:0::1/128", nextHop: "2001:0db8::ff" })).toMatchObject([
    { prefix: "2001:db8::1/128", nextHop: "2001:db8::ff" },
  ]);
});

test("what a path says as a route, it says again when that is read", () => {
  fc.assert(
    fc.property(anyPath, (path) => {
      expect([...new RouteReader().read([routeOf(path)]).values()]).toEqual([path]);
    }),
  );
});

test("the same route twice is once", () => {
  expect(read({ prefix: "203.0.113.1/32" }, { prefix: "203.0.113.1/32" })).toHaveLength(1);
});

describe("refuses, and names the route and what would be right", () => {
  test.each<[string, Bare]>([
    ["has host bits set: the network is 203.0.113.0/24", { prefix: "203.0.113.1/24" }],
    ["has no prefix length: for this one address write 203.0.113.1/32", { prefix: "203.0.113.1" }],
    ["must have a prefix length of 0 to 32", { prefix: "203.0.113.1/33" }],
    ["the next hop 10.0.0.1 is of the other address family", { prefix: "2001:db8::1/128", nextHop: "10.0.0.1" }],
    ["the next hop 2001:db8::1 is of the other", { prefix: "203.0.113.1/32", nextHop: "2001:db8::1" }],
    ["the next hop must be an IPv4 or IPv6 address", { prefix: "203.0.113.1/32", nextHop: "self" }],
    ["the next hop 224.0.0.1 is no router's address (multicast)", { prefix: "203.0.113.1/32", nextHop: "224.0.0.1" }],
    ["the next hop 127.0.0.1 is no router's address", { prefix: "203.0.113.1/32", nextHop: "127.0.0.1" }],
    ["the next hop :: is no router's address (unspecified)", { prefix: "2001:db8::1/128", nextHop: "::" }],
    ['community "1" must be asn:value', { prefix: "203.0.113.1/32", communities: ["1"] }],
    ['large community "1:2" must be', { prefix: "203.0.113.1/32", largeCommunities: ["1:2"] }],
    ["med must be a whole number from 0 to 4294967295, not -1", { prefix: "203.0.113.1/32", med: -1 }],
    ["localPreference must be a whole number", { prefix: "203.0.113.1/32", localPreference: 1.5 }],
  ])("%s", (message, bad) => {
    const reading = () => read({ prefix: "203.0.113.9/32" }, bad);
    expect(reading).toThrow(RouteError);
    expect(reading).toThrow(`Cannot announce ${bad.prefix}: `);
    expect(reading).toThrow(message);
  });

  test("a prefix that is given twice, with different attributes", () => {
    const twice = () => read({ prefix: "203.0.113.1/32" }, { prefix: "203.0.113.1/32", med: 1 });
    expect(twice).toThrow("Cannot announce 203.0.113.1/32: it is given twice");
  });
});

test("what was read before makes no difference", () => {
  const reader = new RouteReader();
  const good = route({ prefix: "203.0.113.1/32", communities: ["1:2", "3:4"] });
  const [first] = reader.read([good]).values();
  expect([...reader.read([{ ...good }]).values()][0]).toBe(first);
  const bad: Route = { ...good, communities: ["1:2 3:4"] };
  expect(() => reader.read([bad])).toThrow('community "1:2 3:4"');
});
