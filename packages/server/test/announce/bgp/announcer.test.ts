import type { IpAddress } from "@fiberlb/types";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";

import type { VipAbility } from "../../../src/announce/ability.ts";
import { BgpAnnouncer, type PeerView } from "../../../src/announce/bgp/announcer.ts";
import { NextHops } from "../../../src/announce/bgp/next-hop.ts";
import { settingsOf } from "../../../src/announce/bgp/route-set.ts";
import type { PeerAbility } from "../../../src/announce/decide.ts";
import type { RouteGuard } from "../../../src/announce/guard/route-guard.ts";
import { type BgpConfig, bgpSchema } from "../../../src/config/bgp-schema.ts";
import { silentLog } from "../../../src/log.ts";
import { FakeClock } from "../../fake-clock.ts";
import { FakeSpeaker } from "./fake-speaker.ts";

const WAIT_MS = 2000;
const [V4, OTHER, V6] = ["203.0.113.10", "203.0.113.11", "2001:db8::10"];

let clock: FakeClock;
let speaker: FakeSpeaker;
let peers: Map<string, PeerAbility[]>;
let tellPeers: (vips: readonly string[]) => void;
let guarded: string[];
let ways: Record<string, string>;
let nextHops: NextHops;
let announcer: BgpAnnouncer;
let changes: number;

beforeEach(() => start());
afterEach(() => announcer.stop());

function start(config: Partial<BgpConfig> = {}): void {
  clock = new FakeClock();
  speaker = new FakeSpeaker();
  [peers, guarded, changes, ways] = [new Map(), [], 0, { "10.0.0.254": "10.0.0.1", "fd00::fe": "fd00::1" }];
  const bgp = bgpSchema.parse(config);
  const view: PeerView = {
    isLoaded: true,
    others: (vip) => peers.get(vip) ?? [],
    onChange: (listener) => {
      tellPeers = listener;
      return () => undefined;
    },
  };
  const guard: RouteGuard = {
    hold: (routes) =>
      void guarded.push(`hold ${routes.map(({ prefix }) => prefix).join(" ")}; sent ${speaker.sets.length}`),
    release: () => {
      guarded.push("release");
      return Promise.resolve();
    },
  };
  nextHops = new NextHops({
    clock,
    interfaces: () => ({}),
    onChange: () => announcer.refresh(),
    sourceTowards: (router) => Promise.resolve(ways[router] as IpAddress | undefined),
  });
  announcer = new BgpAnnouncer({
    node: "lb-1",
    speaker,
    nextHops,
    view,
    guard,
    settingsOf: (pool) =>
      settingsOf(bgp, pool === "second" ? { bgp: { communities: ["64512:2"], largeCommunities: [] } } : {}),
    withdrawWaitMs: WAIT_MS,
    onChange: () => void changes++,
    clock,
    log: silentLog,
  });
}

const able = (vip: string = V4, part: Partial<VipAbility> = {}): VipAbility => ({
  vip,
  loadBalancerId: `lb-${vip}`,
  vipPool: "default",
  canServe: true,
  reason: "",
  canAnswer: true,
  kernelOnly: false,
  ...part,
});

const unable = (vip: string = V4): VipAbility =>
  able(vip, { canServe: false, reason: "no healthy backend on this node" });

const otherServes: PeerAbility = { node: "lb-2", canServe: true, canAnswer: true, announced: true };

/** Everything that was set off has been done. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function apply(...abilities: VipAbility[]): Promise<void> {
  announcer.apply(abilities);
  await settled();
}

const follow = (): Promise<void> => nextHops.follow(["10.0.0.254", "fd00::fe"] as IpAddress[]);
const reasonOf = (vip: string = V4): string =>
  announcer.state().find((one) => one.vip === vip)?.reason ?? "no such VIP";

describe("BgpAnnouncer", () => {
  test("announces all that can be served, each family with its own next hop", async () => {
    await follow();
    await apply(able(V4), able(V6), able(OTHER, { vipPool: "second" }));
    expect(speaker.sets.at(-1)).toEqual([
      { prefix: `${V4}/32`, nextHop: "10.0.0.1" },
      { prefix: `${OTHER}/32`, nextHop: "10.0.0.1", communities: ["64512:2"] },
      { prefix: `${V6}/128`, nextHop: "fd00::1" },
    ]);
    expect(announcer.state()[2]).toEqual({
      vip: OTHER,
      loadBalancerId: `lb-${OTHER}`,
      announced: true,
      reason: "",
      prefix: `${OTHER}/32`,
      nextHop: "10.0.0.1",
      communities: ["64512:2"],
      canServe: true,
      canAnswer: true,
    });
  });

  test("withdraws what can't be served any more in the same turn, while another node can", async () => {
    await follow();
    peers.set(V4, [otherServes]);
    await apply(able(V4), able(OTHER));
    announcer.apply([unable(V4), able(OTHER)]);
    await Promise.resolve();
    expect(speaker.prefixes).toEqual([`${OTHER}/32`]);
    expect(reasonOf()).toBe("no healthy backend on this node");
  });

  test("goes on with what no node can serve, until one can", async () => {
    await follow();
    await apply(able());
    await apply(unable());
    expect(speaker.prefixes).toEqual([`${V4}/32`]);
    expect(reasonOf()).toContain("announced so that clients get an answer");
    peers.set(V4, [otherServes]);
    tellPeers([V4]);
    await settled();
    expect(speaker.prefixes).toEqual([]);
    expect(announcer.state()[0]).toMatchObject({ announced: false, servedUntilMs: clock.epochMs() });
  });

  test("says the same thing once", async () => {
    await follow();
    await apply(able());
    await apply(able(V4, { reason: "" }));
    tellPeers([V4]);
    await settled();
    expect(speaker.sets).toHaveLength(1);
  });

  test("withdraws VIPs that are gone", async () => {
    await follow();
    await apply(able(V4), able(OTHER));
    await apply(able(OTHER));
    expect(speaker.prefixes).toEqual([`${OTHER}/32`]);
    expect(announcer.state()).toHaveLength(1);
  });

  test("announces what flapped when its time has come, though nothing happens", async () => {
    await follow();
    peers.set(V4, [otherServes]);
    for (let times = 0; times < 3; times++) {
      await apply(able());
      await apply(unable());
    }
    await apply(able());
    expect(speaker.prefixes).toEqual([]);
    expect(reasonOf()).toContain("flapping");
    clock.advance(2000);
    await settled();
    expect(speaker.prefixes).toEqual([`${V4}/32`]);
  });

  test("has the guard hold routes before they are announced", async () => {
    await follow();
    await apply(able());
    expect(guarded).toEqual([`hold ${V4}/32; sent 0`]);
  });
});

describe("next hops", () => {
  test("before they are known nothing is said, so that what an earlier process announced stays", async () => {
    await apply(able());
    expect(speaker.sets).toEqual([]);
    expect(reasonOf()).toBe("no router is known so far, and bgp.nextHop is self");
    await follow();
    await settled();
    expect(speaker.prefixes).toEqual([`${V4}/32`]);
  });

  test("that are missing keep VIPs of their family back, and say what to do", async () => {
    delete ways["fd00::fe"];
    await follow();
    await apply(able(V4), able(V6));
    expect(speaker.prefixes).toEqual([`${V4}/32`]);
    expect(reasonOf(V6)).toBe("this host has no IPv6 address towards 10.0.0.254; give it one, or set bgp.nextHopV6");
  });

  test("that become others are announced", async () => {
    await follow();
    await apply(able());
    ways["10.0.0.254"] = "10.0.0.7";
    clock.advance(10_000);
    await settled();
    expect(speaker.sets.at(-1)).toEqual([{ prefix: `${V4}/32`, nextHop: "10.0.0.7" }]);
  });

  test("can be configured", async () => {
    await announcer.stop();
    start({ nextHop: "10.9.9.9" });
    await nextHops.follow([]);
    await apply(able());
    expect(speaker.sets.at(-1)).toEqual([{ prefix: `${V4}/32`, nextHop: "10.9.9.9" }]);
  });
});

describe("what is not announced", () => {
  test("is what only this host can reach", async () => {
    await follow();
    await apply(able("127.10.0.1"));
    expect(speaker.prefixes).toEqual([]);
    expect(reasonOf("127.10.0.1")).toBe("a loopback address: only this host can reach it");
  });

  test("is everything while the daemon can't be reached, and then this node serves nobody", async () => {
    await follow();
    await apply(able());
    speaker.fail("Cannot reach GoBGP at unix:///run/gobgp.sock");
    expect(announcer.state()[0]).toMatchObject({
      announced: false,
      reason: "Cannot reach GoBGP at unix:///run/gobgp.sock",
      canServe: false,
      canAnswer: false,
    });
    speaker.fail(undefined);
    expect(announcer.state()[0]).toMatchObject({ announced: true, canServe: true });
    expect(changes).toBeGreaterThan(2);
  });

  test("is everything while no router listens", async () => {
    await follow();
    await apply(able());
    speaker.setPeers({ state: "ACTIVE" }, { address: "10.0.0.253" as IpAddress, state: "IDLE" });
    expect(reasonOf()).toBe("no BGP session is established with 10.0.0.254, 10.0.0.253");
    speaker.setPeers({ state: "ACTIVE" }, { address: "10.0.0.253" as IpAddress });
    expect(reasonOf()).toBe("");
  });
});

describe("leaving", () => {
  test("announces with 65535:0, waits, then withdraws", async () => {
    await follow();
    await apply(able());
    const left = announcer.withdrawAll();
    await settled();
    expect(speaker.sets.at(-1)).toEqual([{ prefix: `${V4}/32`, nextHop: "10.0.0.1", communities: ["65535:0"] }]);
    expect(announcer.state()[0]).toMatchObject({ announced: true, communities: ["65535:0"] });
    clock.advance(WAIT_MS - 1);
    await settled();
    expect(speaker.prefixes).toEqual([`${V4}/32`]);
    clock.advance(1);
    await left;
    expect(speaker.prefixes).toEqual([]);
    expect(announcer.state()[0]).toMatchObject({ announced: false, reason: "node draining", canAnswer: false });
  });

  test("still withdraws at once what can't be served meanwhile", async () => {
    await follow();
    peers.set(V4, [otherServes]);
    await apply(able(V4), able(OTHER));
    void announcer.withdrawAll();
    await settled();
    await apply(unable(V4), able(OTHER));
    expect(speaker.prefixes).toEqual([`${OTHER}/32`]);
  });

  test("waits for nothing when nothing is announced", async () => {
    await follow();
    await announcer.withdrawAll();
    expect(announcer.state()).toEqual([]);
  });

  test("is not held up by a daemon that can't be reached", async () => {
    await follow();
    await apply(able());
    speaker.fail("gone");
    const left = announcer.withdrawAll();
    await settled();
    clock.advance(WAIT_MS);
    await settled();
    await left;
  });

  test("is called off when the node is to serve again, at any time", async () => {
    await follow();
    await apply(able());
    announcer.setDraining(true);
    await settled();
    announcer.setDraining(false);
    await settled();
    expect(speaker.sets.at(-1)).toEqual([{ prefix: `${V4}/32`, nextHop: "10.0.0.1" }]);
    clock.advance(WAIT_MS);
    await settled();
    expect(speaker.prefixes).toEqual([`${V4}/32`]);
    announcer.setDraining(true);
    await settled();
    clock.advance(WAIT_MS);
    await settled();
    expect(speaker.prefixes).toEqual([]);
    announcer.setDraining(false);
    await settled();
    expect(speaker.prefixes).toEqual([`${V4}/32`]);
  });

  test("by a stop alone changes nothing that is announced", async () => {
    await follow();
    await apply(able());
    await announcer.stop();
    expect(speaker.prefixes).toEqual([`${V4}/32`]);
    expect(speaker.isClosed).toBe(true);
    expect(guarded.at(-1)).toBe("release");
  });
});
