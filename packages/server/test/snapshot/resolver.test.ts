import { beforeEach, describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import type { AddressRecord } from "../../src/snapshot/lookup.ts";
import { createResolver, type Resolution, type Resolver, type ResolverOptions } from "../../src/snapshot/resolver.ts";
import { FakeClock } from "../health/fake-clock.ts";

let clock: FakeClock;
let changes: Resolution[];
let askedMs: number[];
let answer: (name: string) => readonly AddressRecord[] | Promise<readonly AddressRecord[]>;

beforeEach(() => {
  clock = new FakeClock();
  changes = [];
  askedMs = [];
  answer = () => [{ address: "10.0.0.1", ttlS: 10 }];
});

const resolverWith = (options: Partial<ResolverOptions> = {}): Resolver =>
  createResolver({
    clock,
    random: () => 0.5,
    onChange: (resolution) => changes.push(resolution),
    lookup: async (name) => {
      askedMs.push(clock.nowMs());
      return answer(name);
    },
    ...options,
  });

const fail = (message: string) => (): never => {
  throw new Error(message);
};

describe("which address", () => {
  test.each([
    [["10.0.0.9", "10.0.0.10"], "10.0.0.9"],
    [["10.0.0.10", "9.255.0.1"], "9.255.0.1"],
    [["::1", "127.0.0.1"], "127.0.0.1"],
    [["2001:DB8:0::2", "2001:db8::10"], "2001:db8::2"],
  ])("of %j it is %s", async (addresses, expected) => {
    answer = () => addresses.map((address) => ({ address }));
    const resolver = resolverWith();
    resolver.apply(["db.test"]);
    await clock.advance(0);
    expect(resolver.resolve("db.test")).toEqual({ name: "db.test", address: expected });
  });

  test("the order of an answer changes nothing", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.ipV4(), { minLength: 1, maxLength: 8 }), async (addresses) => {
        clock = new FakeClock();
        changes = [];
        const orders = [addresses, addresses.toReversed(), addresses.toSorted()];
        answer = () => (orders.shift() ?? addresses).map((address) => ({ address, ttlS: 5 }));
        const resolver = resolverWith();
        resolver.apply(["db.test"]);
        await clock.advance(20_000);
        resolver.stop();
        expect(changes).toHaveLength(1);
      }),
      { numRuns: 20 },
    );
  });
});

describe("when", () => {
  test.each([
    ["its lifetime", 10, 10_000],
    ["at least 5 s", 0, 5000],
    ["at most 60 s", 86_400, 60_000],
    ["15 s where the source tells none", undefined, 15_000],
  ])("an answer holds for %s", async (_, ttlS, expectedMs) => {
    answer = () => [{ address: "10.0.0.1", ...(ttlS === undefined ? {} : { ttlS }) }];
    resolverWith().apply(["db.test"]);
    await clock.advance(60_000);
    expect(askedMs.slice(0, 2)).toEqual([0, expectedMs]);
  });

  test("the shortest lifetime of several counts", async () => {
    answer = () => [
      { address: "10.0.0.1", ttlS: 50 },
      { address: "10.0.0.2", ttlS: 7 },
    ];
    resolverWith().apply(["db.test"]);
    await clock.advance(7000);
    expect(askedMs).toEqual([0, 7000]);
  });

  test.each([
    [0, 9000],
    [0.999_999, 11_000],
  ])("lifetimes vary by ±10 %%: chance %d gives %d ms", async (chance, expectedMs) => {
    resolverWith({ random: () => chance }).apply(["db.test"]);
    await clock.advance(12_000);
    expect(askedMs[1]).toBeCloseTo(expectedMs, 1);
  });

  test("many new names are asked for in batches", async () => {
    resolverWith().apply(Array.from({ length: 130 }, (_, i) => `n${i}.test`));
    await clock.advance(300);
    expect([0, 100, 200].map((ms) => askedMs.filter((at) => at === ms).length)).toEqual([64, 64, 2]);
  });
});

describe("failures", () => {
  test("without a first answer there is no address, but a reason, and another try in 5 s", async () => {
    answer = fail("no such name");
    const resolver = resolverWith();
    resolver.apply(["db.test"]);
    await clock.advance(10_000);
    expect(resolver.resolve("db.test")).toEqual({ name: "db.test", problem: "no such name" });
    expect(askedMs).toEqual([0, 5000, 10_000]);
    expect(changes).toHaveLength(1);
  });

  test("the last known address stays, and the problem goes with the next answer", async () => {
    const resolver = resolverWith();
    resolver.apply(["db.test"]);
    await clock.advance(0);
    answer = fail("no name server answers");
    await clock.advance(10_000);
    answer = () => [{ address: "10.0.0.1", ttlS: 10 }];
    await clock.advance(5000);
    expect(changes).toEqual([
      { name: "db.test", address: "10.0.0.1" },
      { name: "db.test", address: "10.0.0.1", problem: "no name server answers" },
      { name: "db.test", address: "10.0.0.1" },
    ]);
  });

  test("an empty answer is a failure", async () => {
    answer = () => [];
    const resolver = resolverWith();
    resolver.apply(["db.test"]);
    await clock.advance(0);
    expect(resolver.resolve("db.test").problem).toBe("the name has no address");
  });

  test("one refused address spoils the answer", async () => {
    answer = () => [{ address: "10.0.0.1" }, { address: "169.254.169.254" }];
    const refuse = (address: string): string | undefined =>
      address.startsWith("169.254.") ? "lies in 169.254.0.0/16 (backends.deniedCidrs)" : undefined;
    const resolver = resolverWith({ refuse });
    resolver.apply(["db.test"]);
    await clock.advance(0);
    expect(resolver.resolve("db.test")).toEqual({
      name: "db.test",
      problem: "answer for db.test refused: 169.254.169.254 lies in 169.254.0.0/16 (backends.deniedCidrs)",
    });
  });
});

describe("the set", () => {
  test("the same set again asks nothing", async () => {
    const resolver = resolverWith();
    resolver.apply(["a.test"]);
    await clock.advance(1000);
    resolver.apply(["a.test", "a.test"]);
    await clock.advance(1000);
    expect(askedMs).toEqual([0]);
  });

  test("a changed address is reported", async () => {
    const resolver = resolverWith();
    resolver.apply(["db.test"]);
    await clock.advance(5000);
    answer = () => [{ address: "10.0.0.2", ttlS: 10 }];
    await clock.advance(5000);
    expect(changes.map(({ address }) => address)).toEqual(["10.0.0.1", "10.0.0.2"]);
  });

  test("a name that left is not heard of again, not even by an answer under way", async () => {
    const late = Promise.withResolvers<readonly AddressRecord[]>();
    answer = () => late.promise;
    const resolver = resolverWith();
    resolver.apply(["db.test"]);
    await clock.advance(0);
    resolver.apply([]);
    late.resolve([{ address: "10.0.0.1" }]);
    await clock.advance(120_000);
    expect([changes, askedMs, clock.pending]).toEqual([[], [0], 0]);
  });

  test("an address is its own answer and is never looked up", async () => {
    const resolver = resolverWith();
    resolver.apply(["192.0.2.1", "2001:db8::1"]);
    await clock.advance(60_000);
    expect(askedMs).toEqual([]);
    expect(resolver.resolve("2001:db8::1")).toEqual({ address: "2001:db8::1" });
  });

  test("a name without an answer so far says so", () => {
    const resolver = resolverWith();
    expect(resolver.resolve("db.test")).toEqual({ problem: "not looked up yet" });
    resolver.apply(["db.test"]);
    expect(resolver.resolve("db.test")).toEqual({ name: "db.test", problem: "not looked up yet" });
  });
});

describe("addresses known before this process", () => {
  const known = (name: string) => ({ "db.test": { address: "10.0.0.7" }, "gone.test": { address: "10.0.0.9" } })[name];

  test("are used until the first look-up says otherwise, also before the name is asked for", async () => {
    answer = () => [{ address: "10.0.0.8" }];
    const resolver = resolverWith({ known });
    expect(resolver.resolve("db.test")).toEqual({ address: "10.0.0.7" });
    resolver.apply(["db.test"]);
    expect(resolver.resolve("db.test")).toMatchObject({ address: "10.0.0.7" });
    await clock.advance(0);
    expect(resolver.resolve("db.test")).toMatchObject({ address: "10.0.0.8" });
    expect(changes).toHaveLength(1);
  });

  test("are no news when they are confirmed, and stay when the look-up fails", async () => {
    answer = (name) => (name === "db.test" ? [{ address: "10.0.0.7" }] : fail("no such name")());
    const resolver = resolverWith({ known });
    resolver.apply(["db.test", "gone.test"]);
    await clock.advance(0);
    expect(changes).toEqual([{ name: "gone.test", address: "10.0.0.9", problem: "no such name" }]);
  });
});
