import { expect, test } from "@jest/globals";

import type { VipBinder } from "../../src/vip/binder.ts";
import { type AnnouncedPool, LinkVips, sparingLinkVips } from "../../src/vip/link-vips.ts";

const pool = (cidr: string, kind?: "L2" | "BGP"): AnnouncedPool => ({
  cidrs: [cidr] as unknown as AnnouncedPool["cidrs"],
  ...(kind !== undefined && { announce: { kind, interface: "eth0" } }),
});

test("VIPs of the link are those of pools that say so", () => {
  const vips = new LinkVips();
  expect(vips.has("192.0.2.1")).toBe(false);
  vips.set([pool("192.0.2.0/24", "L2"), pool("198.51.100.0/24", "BGP"), pool("203.0.113.0/24")]);
  expect(["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1"].filter((vip) => vips.has(vip))).toEqual([
    "192.0.2.1",
  ]);
});

test("lo gets all VIPs but those of the link, also when a pool becomes one of the link", () => {
  const vips = new LinkVips();
  const applied: string[] = [];
  const binder: VipBinder = {
    apply: (desired) => {
      applied.push([...desired].join());
      return Promise.resolve(new Map());
    },
  };
  const sparing = sparingLinkVips(binder, vips);
  vips.set([]);
  void sparing.apply(new Set(["192.0.2.1", "198.51.100.1"]));
  vips.set([pool("192.0.2.0/24", "L2")]);
  expect(applied).toEqual(["192.0.2.1,198.51.100.1", "198.51.100.1"]);
});
