import { beforeEach, describe, expect, test } from "@jest/globals";

import type { GuardedRoute } from "../../../src/announce/bgp/route-set.ts";
import { GuardDuty } from "../../../src/announce/guard/duty.ts";
import type { GuardOrders } from "../../../src/announce/guard/messages.ts";
import { silentLog } from "../../../src/log.ts";
import { FakeClock } from "../../fake-clock.ts";
import { FakeSpeaker } from "../bgp/fake-speaker.ts";

const ORDERS: GuardOrders = {
  kind: "orders",
  gobgp: "unix:///run/gobgp.sock",
  orphanTimeoutMs: 30_000,
  socketPath: "/var/lib/fiberlb/bgp-guard.sock",
};

const route = (prefix: string, kernelOnly: boolean): GuardedRoute => ({
  prefix,
  nextHop: "10.0.0.1",
  kernelOnly,
});
const [USER, KERNEL] = [route("203.0.113.1/32", false), route("203.0.113.2/32", true)];

let clock: FakeClock;
let speaker: FakeSpeaker;
let speakers: number;
let duty: GuardDuty;
let isOver: boolean;
let readies: number;
/** Why the daemon cannot be reached. */
let failure: string | undefined;

beforeEach(() => {
  clock = new FakeClock();
  speaker = new FakeSpeaker();
  failure = undefined;
  [speakers, readies, isOver] = [0, 0, false];
  duty = new GuardDuty({
    clock,
    log: silentLog,
    onReady: () => void readies++,
    createSpeaker: () => {
      speakers++;
      speaker = new FakeSpeaker();
      if (failure !== undefined) speaker.fail(failure);
      return speaker;
    },
  });
  void duty.over.then(() => (isOver = true));
});

function watch(routes: readonly GuardedRoute[], orders: Partial<GuardOrders> = {}): void {
  duty.hear({ ...ORDERS, ...orders });
  duty.hear({ kind: "routes", routes });
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function orphan(): Promise<void> {
  duty.orphaned();
  await settled();
}

describe("a guard", () => {
  test("does nothing as long as the other process lives", () => {
    watch([USER, KERNEL]);
    expect([speaker.sets, isOver]).toEqual([[], false]);
  });

  test("is ready when it has the daemon, or why it can't", () => {
    watch([USER]);
    expect(readies).toBe(0);
    speaker.change({ daemon: { state: "connecting", reason: "" } });
    expect(readies).toBe(0);
    speaker.fail("gone");
    expect([readies, speaker.isClosed]).toEqual([1, true]);
  });

  test("goes without a deed after a goodbye", async () => {
    watch([USER]);
    duty.hear({ kind: "goodbye" });
    await orphan();
    expect([speaker.sets, isOver]).toEqual([[], true]);
  });

  test.each<[string, () => void]>([
    ["orders", () => undefined],
    ["routes", () => watch([])],
  ])("goes when there were no %s", async (_, before) => {
    before();
    await orphan();
    expect([speaker.sets, isOver]).toEqual([[], true]);
  });

  test("withdraws all at once that leads to the dead process", async () => {
    watch([KERNEL]);
    watch([USER]);
    await orphan();
    expect([speakers, speaker.sets]).toEqual([2, [[]]]);
    expect([speaker.isClosed, isOver]).toEqual([true, true]);
  });

  test("keeps what the kernel forwards until nobody has watched its backends for too long", async () => {
    watch([USER, KERNEL]);
    await orphan();
    expect(speaker.prefixes).toEqual([KERNEL.prefix]);
    clock.advance(29_999);
    await settled();
    expect([speaker.prefixes, isOver]).toEqual([[KERNEL.prefix], false]);
    clock.advance(1);
    await settled();
    expect([speaker.prefixes, isOver]).toEqual([[], true]);
  });

  test("leaves all to the process that follows", async () => {
    watch([USER, KERNEL]);
    await orphan();
    await duty.relieve();
    await settled();
    expect(isOver).toBe(true);
    clock.advance(30_000);
    await settled();
    expect(speaker.sets).toHaveLength(1);
  });

  test("leaves all to the process that follows, though the end of the other one is noticed later", async () => {
    watch([USER]);
    await duty.relieve();
    await orphan();
    expect([speaker.sets, isOver]).toEqual([[], true]);
  });

  test("that nobody could make leave keeps nothing", async () => {
    watch([USER, KERNEL], { socketPath: undefined as never });
    await orphan();
    expect([speaker.prefixes, isOver]).toEqual([[], true]);
  });

  test("tries again while the daemon is away, and gives up", async () => {
    watch([USER]);
    failure = "gone";
    await orphan();
    clock.advance(250);
    await settled();
    expect([speaker.sets.length, isOver]).toEqual([2, false]);
    for (let passedMs = 0; passedMs < 11_000; passedMs += 250) {
      clock.advance(250);
      await settled();
    }
    expect(isOver).toBe(true);
  });
});
