import {
  type AddressRange,
  type IpAddress,
  type IpFamily,
  ipFamily,
  ipFromBigInt,
  ipToBigInt,
  parseAddressRange,
  parseIp,
} from "@fiberlb/types";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import { AddressSet } from "../../src/vip/address-set.ts";
import { allocateVip, type VipDecision, type VipRequest, type VipState } from "../../src/vip/allocator.ts";
import { assignableCount, type VipPoolRanges } from "../../src/vip/pool-ranges.ts";

const NOW_MS = 1_000_000;

function ip(text: string): IpAddress {
  const parsed = parseIp(text);
  if (!parsed.ok) throw new Error(`${text} ${parsed.error}`);
  return parsed.value;
}

function range(text: string): AddressRange {
  const parsed = parseAddressRange(text);
  if (!parsed.ok) throw new Error(`${text} ${parsed.error}`);
  return parsed.value;
}

function pool(name: string, cidrs: readonly string[], autoAssign = true): VipPoolRanges {
  return { name, cidrs: cidrs.map(range), autoAssign };
}

interface Given {
  readonly pools: readonly VipPoolRanges[];
  readonly used?: readonly string[];
  readonly released?: Readonly<Record<string, number>>;
}

function state({ pools, used = [], released = {} }: Given): VipState {
  const usedIps = used.map(ip);
  const ofFamily = (family: IpFamily): AddressSet =>
    new AddressSet(usedIps.filter((address) => ipFamily(address) === family).map(ipToBigInt));
  return {
    pools,
    occupancy: {
      used: { IPV4: ofFamily("IPV4"), IPV6: ofFamily("IPV6") },
      released: new Map(Object.entries(released).map(([address, atMs]) => [ip(address), atMs])),
    },
    nowMs: NOW_MS,
    reuseDelayMs: 60_000,
  };
}

function allocate(given: Given, request: VipRequest = {}): VipDecision {
  return allocateVip(state(given), request);
}

const assigned = (address: string, poolName: string): VipDecision => ({
  ok: true,
  address: ip(address),
  pool: poolName,
});

describe("assigning", () => {
  test("the lowest host address of the first range is taken", () => {
    expect(allocate({ pools: [pool("a", ["198.51.100.0/24"])] })).toEqual(assigned("198.51.100.1", "a"));
    const used = ["198.51.100.1", "198.51.100.3"];
    expect(allocate({ pools: [pool("a", ["198.51.100.0/24"])], used })).toEqual(assigned("198.51.100.2", "a"));
  });

  test.each([
    ["203.0.113.0/30", ["203.0.113.1", "203.0.113.2"]],
    ["203.0.113.0/31", ["203.0.113.0", "203.0.113.1"]],
    ["203.0.113.7/32", ["203.0.113.7"]],
    ["203.0.113.255-203.0.114.0", ["203.0.113.255", "203.0.114.0"]],
    ["2001:db8::/126", ["2001:db8::1", "2001:db8::2", "2001:db8::3"]],
    ["2001:db8::/127", ["2001:db8::", "2001:db8::1"]],
    ["2001:db8::5/128", ["2001:db8::5"]],
  ])("%s gives exactly %j", (cidr, expected) => {
    const pools = [pool("a", [cidr])];
    const family = cidr.includes(":") ? "IPV6" : "IPV4";
    const used: string[] = [];
    for (const address of expected) {
      expect(allocate({ pools, used }, { family })).toEqual(assigned(address, "a"));
      used.push(address);
    }
    expect(allocate({ pools, used }, { family })).toEqual({
      ok: false,
      refusal: { reason: "exhausted", pools: ["a"], family },
    });
    expect(assignableCount(pools[0] as VipPoolRanges)).toBe(BigInt(expected.length));
  });

  test("a named pool is used whether it assigns by itself or not; unnamed ones only when they do", () => {
    const pools = [pool("reserve", ["192.0.2.0/24"], false), pool("open", ["198.51.100.0/24"])];
    expect(allocate({ pools })).toEqual(assigned("198.51.100.1", "open"));
    expect(allocate({ pools }, { pool: "reserve" })).toEqual(assigned("192.0.2.1", "reserve"));
  });

  test("the next pool serves when the first is used up", () => {
    const pools = [pool("small", ["192.0.2.1-192.0.2.1"]), pool("next", ["198.51.100.0/24"])];
    expect(allocate({ pools, used: ["192.0.2.1"] })).toEqual(assigned("198.51.100.1", "next"));
  });

  test("an IPv6 pool of 2^64 addresses with 65,536 used needs no enumeration", () => {
    const used = Array.from({ length: 65_536 }, (_, index) =>
      ipFromBigInt((0x2001_0db8n << 96n) + BigInt(index), "IPV6"),
    );
    expect(allocate({ pools: [pool("six", ["2001:db8::/64"])], used }, { family: "IPV6" })).toEqual(
      assigned("2001:db8::1:0", "six"),
    );
  });
});

describe("the reuse delay", () => {
  const pools = [pool("a", ["192.0.2.1-192.0.2.2"])];

  test("passes over an address given back a moment ago", () => {
    expect(allocate({ pools, released: { "192.0.2.1": NOW_MS - 59_999 } })).toEqual(assigned("192.0.2.2", "a"));
  });

  test("ends after exactly reuseDelayMs", () => {
    expect(allocate({ pools, released: { "192.0.2.1": NOW_MS - 60_000 } })).toEqual(assigned("192.0.2.1", "a"));
  });

  test("does not hold for who asks for the address", () => {
    const released = { "192.0.2.1": NOW_MS - 1 };
    expect(allocate({ pools, released }, { address: ip("192.0.2.1") })).toEqual(assigned("192.0.2.1", "a"));
  });

  test("when only resting addresses are left, the refusal says when the first is free", () => {
    const released = { "192.0.2.1": NOW_MS - 10_000, "192.0.2.2": NOW_MS - 20_000 };
    expect(allocate({ pools, released })).toEqual({
      ok: false,
      refusal: { reason: "exhausted", pools: ["a"], family: "IPV4", retryAfterMs: 40_000 },
    });
  });
});

describe("refusals", () => {
  const pools = [pool("a", ["192.0.2.0/24", "2001:db8::/64"]), pool("b", ["198.51.100.10-198.51.100.20"])];

  test.each<[string, VipRequest, object]>([
    ["an unknown pool", { pool: "none" }, { reason: "unknown-pool", pool: "none", known: ["a", "b"] }],
    ["an address of no pool", { address: ip("203.0.113.1") }, { reason: "not-in-pool", address: "203.0.113.1" }],
    [
      "an address of another pool than the one named",
      { address: ip("192.0.2.9"), pool: "b" },
      { reason: "not-in-pool", address: "192.0.2.9", pool: "b" },
    ],
    ["a network address", { address: ip("192.0.2.0") }, { reason: "reserved", address: "192.0.2.0", pool: "a" }],
    ["a broadcast address", { address: ip("192.0.2.255") }, { reason: "reserved", address: "192.0.2.255", pool: "a" }],
    [
      "the subnet-router address",
      { address: ip("2001:db8::") },
      { reason: "reserved", address: "2001:db8::", pool: "a" },
    ],
    ["an address in use", { address: ip("192.0.2.7") }, { reason: "in-use", address: "192.0.2.7" }],
    [
      "an address of the other family",
      { address: ip("2001:db8::1"), family: "IPV4" },
      { reason: "wrong-family", address: "2001:db8::1", family: "IPV4" },
    ],
    [
      "a pool without this family",
      { pool: "b", family: "IPV6" },
      { reason: "no-pool-of-family", family: "IPV6", pool: "b" },
    ],
  ])("%s", (_, request, refusal) => {
    expect(allocate({ pools, used: ["192.0.2.7"] }, request)).toEqual({ ok: false, refusal });
  });

  test("no pool at all", () => {
    expect(allocate({ pools: [] })).toEqual({ ok: false, refusal: { reason: "no-pool-of-family", family: "IPV4" } });
  });
});

/** Small pools over 192.0.2.0/26, so that a model can go through every address. */
const NET = ipToBigInt(ip("192.0.2.0"));
const cidrText = fc
  .integer({ min: 26, max: 32 })
  .chain((length) => fc.nat({ max: 2 ** (length - 26) - 1 }).map((n) => blockText(n, length)));
const blockText = (n: number, length: number): string =>
  `${ipFromBigInt(NET + BigInt(n * 2 ** (32 - length)), "IPV4")}/${length}`;
const offset = fc.nat({ max: 63 });
const rangeText = fc.tuple(offset, offset).map(([a, b]) => `${at(Math.min(a, b))}-${at(Math.max(a, b))}`);
const at = (n: number): IpAddress => ipFromBigInt(NET + BigInt(n), "IPV4");
const pools = fc
  .array(
    fc.record({ cidrs: fc.array(fc.oneof(cidrText, rangeText), { minLength: 1, maxLength: 3 }), auto: fc.boolean() }),
    {
      maxLength: 3,
    },
  )
  .map((list) => list.map(({ cidrs, auto }, index) => pool(`pool-${index}`, cidrs, auto)));

describe("against a model that tries every address", () => {
  test("automatic assignment", () => {
    const releases = fc.dictionary(offset.map(at), fc.integer({ min: NOW_MS - 120_000, max: NOW_MS }));
    const name = fc.option(fc.constantFrom("pool-0", "pool-1", "pool-9"), { nil: undefined });
    fc.assert(
      fc.property(pools, fc.array(offset.map(at)), releases, name, (given, used, released, wanted) => {
        const decision = allocate({ pools: given, used, released }, { pool: wanted });
        const free = (address: IpAddress): boolean =>
          !used.includes(address) && NOW_MS - (released[address] ?? 0) >= 60_000;
        const expected = given
          .filter((candidate) => (wanted === undefined ? candidate.autoAssign : candidate.name === wanted))
          .flatMap((candidate) =>
            candidate.cidrs.flatMap((cidr) => hosts(cidr).map((address) => ({ candidate, address }))),
          )
          .find(({ address }) => free(address));
        if (expected === undefined) expect(decision.ok).toBe(false);
        else expect(decision).toEqual(assigned(expected.address, expected.candidate.name));
      }),
    );
  });

  test("an address asked for is granted exactly when some pool holds it and nobody uses it", () => {
    fc.assert(
      fc.property(pools, fc.array(offset.map(at)), offset.map(at), (given, used, address) => {
        const holder = given.find((candidate) => candidate.cidrs.some((cidr) => hosts(cidr).includes(address)));
        const decision = allocate({ pools: given, used }, { address });
        if (holder !== undefined && !used.includes(address)) expect(decision).toEqual(assigned(address, holder.name));
        else expect(decision.ok).toBe(false);
      }),
    );
  });

  test("the size of a pool is the number of different addresses", () => {
    fc.assert(
      fc.property(pools, (given) => {
        for (const candidate of given) {
          expect(assignableCount(candidate)).toBe(BigInt(new Set(candidate.cidrs.flatMap(hosts)).size));
        }
      }),
    );
  });
});

/** Written without the arithmetic of the source: the addresses in text order, ends cut off for networks up to /30. */
function hosts(cidr: AddressRange): IpAddress[] {
  const [from = "", to] = cidr.split(/[-/]/);
  const start = Number(from.split(".")[3]);
  if (cidr.includes("-")) {
    return Array.from({ length: Number(to?.split(".")[3]) - start + 1 }, (_, index) => at(start + index));
  }
  const all = Array.from({ length: 2 ** (32 - Number(to)) }, (_, index) => at(start + index));
  return Number(to) <= 30 ? all.slice(1, -1) : all;
}
