import type { IpAddress } from "@fiberlb/types";
import { describe, expect, test } from "@jest/globals";

import { addressBeside, NextHops, sourceTowards } from "../../../src/announce/bgp/next-hop.ts";
import { FakeClock } from "../../fake-clock.ts";

const info = (address: string) => ({
  address,
  family: address.includes(":") ? ("IPv6" as const) : ("IPv4" as const),
  netmask: "",
  mac: "",
  internal: false,
  cidr: null,
  ...(address.includes(":") && { scopeid: 0 }),
});
const interfaces = () =>
  ({
    lo: [info("127.0.0.1"), info("::1")],
    eth0: [info("10.0.0.1"), info("fe80::1"), info("fd00::1")],
    eth1: [info("10.1.0.1"), info("fe80::2")],
  }) as never;

/** A host on which the way to a router leads over these addresses. */
function hostWith(ways: Record<string, string>) {
  const clock = new FakeClock();
  let changes = 0;
  const hops = new NextHops({
    clock,
    interfaces,
    onChange: () => void changes++,
    sourceTowards: (router) => Promise.resolve(ways[router] as IpAddress | undefined),
  });
  const follow = (...routers: string[]) => hops.follow(routers as IpAddress[]);
  return { clock, hops, ways, follow, changes: () => changes };
}

describe("NextHops", () => {
  test("are the addresses from which the routers are reached", async () => {
    const { hops, follow } = hostWith({ "10.0.0.254": "10.0.0.1", "fd00::fe": "fd00::1" });
    await follow("10.0.0.254", "fd00::fe");
    expect([hops.of("IPV4"), hops.of("IPV6")]).toEqual(["10.0.0.1", "fd00::1"]);
    hops.stop();
  });

  test("for the other family it is what the same interface has", async () => {
    const { hops, follow } = hostWith({ "10.0.0.254": "10.0.0.1" });
    await follow("10.0.0.254");
    expect(hops.of("IPV6")).toBe("fd00::1");
    hops.stop();
  });

  test("are found once there is a way, and kept while it is gone for a moment", async () => {
    const { hops, follow, ways, clock, changes } = hostWith({});
    await follow("10.0.0.254");
    expect(hops.of("IPV4")).toBeUndefined();
    ways["10.0.0.254"] = "10.0.0.1";
    await hops.refresh();
    expect([hops.of("IPV4"), changes()]).toEqual(["10.0.0.1", 2]);
    delete ways["10.0.0.254"];
    await hops.refresh();
    expect([hops.of("IPV4"), changes()]).toEqual(["10.0.0.1", 2]);
    expect(clock.pending).toBe(1);
    hops.stop();
    expect(clock.pending).toBe(0);
  });

  test("of this machine are asked of its kernel, and are never loopback addresses", async () => {
    expect(await sourceTowards("127.0.0.9" as IpAddress)).toBe("127.0.0.1");
    const hops = new NextHops({ clock: new FakeClock(), onChange: () => undefined });
    await hops.follow(["127.0.0.9" as IpAddress]);
    expect(hops.of("IPV4")).toBeUndefined();
    hops.stop();
  });
});

test.each([
  ["10.0.0.1", "fd00::1"],
  ["fd00::1", "10.0.0.1"],
  ["10.1.0.1", undefined],
  ["10.2.0.1", undefined],
])("beside %s is %s", (address, beside) => {
  expect(addressBeside(address as IpAddress, interfaces())).toBe(beside);
});
