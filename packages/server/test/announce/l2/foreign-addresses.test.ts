import { expect, test } from "@jest/globals";

import { ForeignAddresses } from "../../../src/announce/l2/foreign-addresses.ts";
import type { LinkAddress } from "../../../src/announce/l2/ip-batch.ts";
import type { LinkAddresses } from "../../../src/announce/l2/link-addresses.ts";
import { FakeClock } from "../../fake-clock.ts";

const VIP = "192.0.2.1";
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function rig({
  held = [],
  keepLeftovers = false,
}: { readonly held?: readonly string[]; readonly keepLeftovers?: boolean } = {}) {
  const clock = new FakeClock();
  const there: LinkAddress[] = [];
  const removed: string[] = [];
  let changes = 0;
  const addresses: LinkAddresses = {
    keep: () => Promise.resolve(new Map()),
    remove: (device, vips) => {
      removed.push(`${vips.join()} from ${device}`);
      return Promise.resolve(new Map());
    },
    list: () => Promise.resolve(there),
  };
  const foreign = new ForeignAddresses({
    clock,
    addresses,
    isHeld: (vip) => held.includes(vip),
    keepLeftovers,
    onChange: () => (changes += 1),
  });
  return { clock, there, removed, foreign, changes: () => changes };
}

const ours: LinkAddress = { device: "eth0", address: VIP, prefixLength: 32, validS: 2, preferredS: 0 };
const theirs: LinkAddress = { device: "lo", address: VIP, prefixLength: 32, validS: undefined, preferredS: undefined };

test("a VIP waits until the host was looked at", async () => {
  const { foreign, changes } = rig();
  foreign.watch(new Set([VIP]));
  expect(foreign.reason(VIP)).toBe("the addresses of this host have not been looked at so far");
  await settled();
  expect([foreign.reason(VIP), changes()]).toEqual(["", 1]);
});

test("an address that somebody else has put there is left alone and stands in the way, until it is gone", async () => {
  const { foreign, there, removed, clock } = rig();
  there.push(theirs);
  foreign.watch(new Set([VIP]));
  await settled();
  expect(foreign.reason(VIP)).toMatch("this node has 192.0.2.1 on lo, put there by somebody else: remove it");
  expect(removed).toEqual([]);
  there.pop();
  clock.advance(5000);
  await settled();
  expect(foreign.reason(VIP)).toBe("");
});

test("what a process before this one has left is taken away", async () => {
  const { foreign, there, removed } = rig();
  there.push(ours);
  foreign.watch(new Set([VIP]));
  await settled();
  expect([removed, foreign.reason(VIP)]).toEqual([[`${VIP} from eth0`], ""]);
});

test.each([{ held: [VIP] }, { keepLeftovers: true }])("what is in use stays: %j", async (options) => {
  const { foreign, there, removed } = rig(options);
  there.push(ours);
  foreign.watch(new Set([VIP]));
  await settled();
  expect([removed, foreign.reason(VIP)]).toEqual([[], ""]);
});

test("a host whose addresses can't be read gets no VIP", async () => {
  const clock = new FakeClock();
  const list = (): Promise<never> => Promise.reject(new Error('the "ip" command is missing: install iproute2'));
  const nothing = (): Promise<ReadonlyMap<string, string>> => Promise.resolve(new Map());
  const addresses = { keep: nothing, remove: nothing, list };
  const foreign = new ForeignAddresses({
    clock,
    addresses,
    isHeld: () => false,
    keepLeftovers: false,
    onChange: () => undefined,
  });
  foreign.watch(new Set([VIP]));
  await settled();
  expect(foreign.reason(VIP)).toBe(
    'the addresses of this host cannot be read: the "ip" command is missing: install iproute2',
  );
  await foreign.stop();
  expect(clock.pending).toBe(0);
});
