import type { IpAddress } from "@fiberlb/types";
import { describe, expect, test } from "@jest/globals";

import {
  type AnnouncedVip,
  prefixOf,
  routesOf,
  type RouteSettings,
  settingsOf,
} from "../../../src/announce/bgp/route-set.ts";
import { bgpSchema } from "../../../src/config/bgp-schema.ts";

const SETTINGS: RouteSettings = {
  nextHop: "self",
  nextHopV6: "self",
  communities: [],
  largeCommunities: [],
  aggregateV4: 32,
  aggregateV6: 128,
  whenAllDown: "announce",
};

const vip = (
  address: string,
  settings: Partial<RouteSettings> = {},
  part: Partial<AnnouncedVip> = {},
): AnnouncedVip => ({
  vip: address as IpAddress,
  settings: { ...SETTINGS, ...settings },
  nextHop: (address.includes(":") ? "fd00::1" : "10.0.0.1") as IpAddress,
  kernelOnly: false,
  ...part,
});

describe("routesOf", () => {
  test("makes a host route of each VIP, in order", () => {
    expect(routesOf([vip("2001:db8::10"), vip("203.0.113.9"), vip("203.0.113.10")])).toEqual([
      { prefix: "203.0.113.9/32", nextHop: "10.0.0.1", kernelOnly: false },
      { prefix: "203.0.113.10/32", nextHop: "10.0.0.1", kernelOnly: false },
      { prefix: "2001:db8::10/128", nextHop: "fd00::1", kernelOnly: false },
    ]);
  });

  test("carries all attributes, zero included", () => {
    const settings = { communities: ["64512:1"], largeCommunities: ["64512:1:2"], localPref: 0, med: 0 };
    expect(routesOf([vip("203.0.113.9", settings)])).toEqual([
      {
        prefix: "203.0.113.9/32",
        nextHop: "10.0.0.1",
        kernelOnly: false,
        communities: ["64512:1"],
        largeCommunities: ["64512:1:2"],
        localPreference: 0,
        med: 0,
      },
    ]);
  });

  test("adds GRACEFUL_SHUTDOWN before it goes", () => {
    const communities = ["64512:1"];
    const [route] = routesOf([vip("203.0.113.9", { communities })], { shutdown: true });
    expect(route?.communities).toEqual(["64512:1", "65535:0"]);
    expect(routesOf([vip("203.0.113.9")], { shutdown: true })[0]?.communities).toEqual(["65535:0"]);
  });

  test("announces an aggregate once, for any VIP inside, as the lowest of them says", () => {
    const wide = { aggregateV4: 24 };
    const routes = routesOf([
      vip("203.0.113.200", { ...wide, med: 2 }),
      vip("203.0.113.9", { ...wide, med: 1 }),
      vip("203.0.114.1", wide),
    ]);
    expect(routes.map(({ prefix, med }) => [prefix, med])).toEqual([
      ["203.0.113.0/24", 1],
      ["203.0.114.0/24", undefined],
    ]);
  });

  test("leaves an aggregate to the kernel only when all of it is", () => {
    const wide = { aggregateV4: 24 };
    const kernel = { kernelOnly: true };
    expect(routesOf([vip("203.0.113.1", wide, kernel), vip("203.0.113.2", wide, kernel)])[0]?.kernelOnly).toBe(true);
    expect(routesOf([vip("203.0.113.1", wide, kernel), vip("203.0.113.2", wide)])[0]?.kernelOnly).toBe(false);
    expect(routesOf([vip("203.0.113.1", wide), vip("203.0.113.2", wide, kernel)])[0]?.kernelOnly).toBe(false);
  });
});

test.each([
  ["203.0.113.200", { aggregateV4: 25 }, "203.0.113.128/25"],
  ["203.0.113.200", { aggregateV4: 8 }, "203.0.0.0/8"],
  ["2001:db8:1:2::10", { aggregateV6: 48 }, "2001:db8:1::/48"],
  ["2001:db8::10", {}, "2001:db8::10/128"],
])("%s with %j is announced as %s", (address, settings, prefix) => {
  expect(prefixOf(address as IpAddress, { ...SETTINGS, ...settings })).toBe(prefix);
});

describe("settingsOf", () => {
  const node = bgpSchema.parse({ communities: ["64512:1"], med: 5, whenAllDown: "withdraw", aggregateV4: 24 });

  test("are the node's where the pool says nothing", () => {
    const { communities, med, whenAllDown, aggregateV4 } = settingsOf(node, { bgp: undefined });
    expect({ communities, med, whenAllDown, aggregateV4 }).toEqual({
      communities: ["64512:1"],
      med: 5,
      whenAllDown: "withdraw",
      aggregateV4: 24,
    });
    expect(settingsOf(node)).toEqual(settingsOf(node, {}));
  });

  test("are the pool's where it says something, zero included", () => {
    const bgp = { communities: ["64512:2"], largeCommunities: [], med: 0, whenAllDown: "ANNOUNCE" as const };
    expect(settingsOf(node, { bgp })).toMatchObject({
      communities: ["64512:2"],
      med: 0,
      whenAllDown: "announce",
      aggregateV4: 24,
    });
  });
});
