import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";

import type { Election } from "../../src/repository/election.ts";
import type { NodeSession } from "../../src/repository/node-session.ts";
import type { AddressRecord } from "../../src/snapshot/lookup.ts";
import { createResolver, type Resolution, type Resolver } from "../../src/snapshot/resolver.ts";
import { createSharedResolver } from "../../src/snapshot/shared-resolver.ts";
import { FakeClock } from "../fake-clock.ts";
import { keysOf, type RepositoryHarness, startRepository, storeOn } from "../repository/harness.ts";
import { type Connection, connect } from "../shared-store.ts";

/** What a name server tells each node: they may differ. */
let answers: Map<string, Record<string, string | undefined>>;
let asked: string[];
let clock: FakeClock;
let shared: ReturnType<typeof storeOn>;
let members: Member[];

interface Member {
  readonly line: Connection;
  readonly harness: RepositoryHarness;
  readonly session: NodeSession;
  readonly election: Election;
  readonly resolver: Resolver;
  readonly changes: Resolution[];
}

beforeEach(() => {
  clock = new FakeClock();
  shared = storeOn(clock);
  [answers, asked, members] = [new Map(), [], []];
});
afterEach(async () => {
  for (const member of members) await leave(member);
  await shared.close();
});

interface Traits {
  readonly known?: Record<string, string>;
  readonly denied?: string;
}

async function join(name: string, { known = {}, denied }: Traits = {}): Promise<Member> {
  const line = connect(shared);
  const harness = await startRepository({ store: line.store, clock });
  const { repository } = harness;
  const session = repository.openNodeSession(name);
  const election = repository.openElection(name, session);
  const changes: Resolution[] = [];
  const refuse = (address: string): string | undefined => (address === denied ? "is denied" : undefined);
  const resolver = createSharedResolver({
    view: repository.dns,
    writer: repository.openDnsWriter(election),
    election,
    refuse,
    createLookups: (options) =>
      createResolver({ ...options, clock, random: () => 0.5, refuse, lookup: async (host) => lookUp(name, host) }),
    known: (host) => known[host],
    onChange: (resolution) => void changes.push(resolution),
  });
  const member = { line, harness, session, election, resolver, changes };
  members.push(member);
  await pass(200);
  return member;
}

function lookUp(node: string, host: string): readonly AddressRecord[] {
  asked.push(`${node}: ${host}`);
  const address = answers.get(host)?.[node];
  if (address === undefined) throw new Error("no such name");
  return [{ address, ttlS: 5 }];
}

async function leave({ line, election, resolver, session, harness }: Member): Promise<void> {
  line.restore();
  election.stop();
  resolver.stop();
  await session.close();
  await harness.repository.stop();
}

async function pass(ms: number): Promise<void> {
  for (let step = 0; step < ms; step += 100) {
    clock.advance(100);
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
}

test("all nodes go by what the elected one was told, and only it asks", async () => {
  answers.set("db.test", { a: "10.0.0.1", b: "10.0.0.2", c: "10.0.0.3" });
  const [a, b, c] = [await join("a"), await join("b"), await join("c")];
  for (const { resolver } of members) resolver.apply(["db.test", "10.9.9.9"]);
  await pass(200);
  for (const { resolver } of [a, b, c]) expect(resolver.resolve("db.test")).toMatchObject({ address: "10.0.0.1" });
  expect(a.resolver.resolve("10.9.9.9")).toEqual({ address: "10.9.9.9" });
  expect(new Set(asked)).toEqual(new Set(["a: db.test"]));

  answers.set("db.test", { a: "10.0.0.7" });
  await pass(6000);
  for (const { resolver, changes } of [a, b, c]) {
    expect(resolver.resolve("db.test")).toMatchObject({ address: "10.0.0.7" });
    expect(changes.map(({ address }) => address)).toEqual(["10.0.0.1", "10.0.0.7"]);
  }
});

test("a single node resolves for itself, and says why a name has no address", async () => {
  answers.set("db.test", { a: "10.0.0.1" });
  const { resolver, changes } = await join("a");
  expect(resolver.resolve("db.test")).toEqual({ problem: "not looked up yet" });
  resolver.apply(["db.test", "gone.test"]);
  await pass(200);
  expect(changes).toContainEqual({ name: "db.test", address: "10.0.0.1" });
  expect(resolver.resolve("gone.test")).toEqual({ problem: "no such name" });
});

describe("when the elected node goes", () => {
  test("the next one takes over; until it knows better the last known address stands", async () => {
    answers.set("db.test", { a: "10.0.0.1" });
    const [a, b] = [await join("a"), await join("b")];
    for (const { resolver } of members) resolver.apply(["db.test"]);
    await pass(200);
    await leave(a);
    members = [b];
    await pass(300);
    expect(b.resolver.resolve("db.test")).toEqual({ address: "10.0.0.1", problem: "no such name" });
    answers.set("db.test", { b: "10.0.0.5" });
    await pass(6000);
    expect(b.resolver.resolve("db.test")).toEqual({ address: "10.0.0.5" });
    expect(asked).toContain("b: db.test");
  });

  test("a name that nobody uses any more leaves the store", async () => {
    answers.set("db.test", { a: "10.0.0.1", b: "10.0.0.1" });
    answers.set("old.test", { a: "10.0.0.2" });
    const [a, b] = [await join("a"), await join("b")];
    a.resolver.apply(["db.test", "old.test"]);
    await pass(200);
    await leave(a);
    members = [b];
    await pass(300);
    const names = async () => (await keysOf(shared)).filter((key) => key.includes("/dns/"));
    // It has not been told what is in use: that is no reason to forget anything.
    expect(await names()).toEqual(["/lb/v1/dns/db.test", "/lb/v1/dns/old.test"]);
    b.resolver.apply(["db.test"]);
    await pass(200);
    expect(await names()).toEqual(["/lb/v1/dns/db.test"]);
  });
});

describe("without the store", () => {
  test("the last known address is kept, also by the node that was elected", async () => {
    answers.set("db.test", { a: "10.0.0.1" });
    const { line, resolver } = await join("a");
    resolver.apply(["db.test"]);
    await pass(200);
    line.cut();
    answers.set("db.test", { a: "10.0.0.2" });
    await pass(20_000);
    expect(resolver.resolve("db.test")).toMatchObject({ address: "10.0.0.1" });
    line.restore();
    await pass(12_000);
    expect(resolver.resolve("db.test")).toEqual({ address: "10.0.0.2" });
  });

  test("what was known before this process is used, and kept when the first look-up fails", async () => {
    const { resolver } = await join("a", { known: { "db.test": "10.0.0.9" } });
    expect(resolver.resolve("db.test")).toEqual({ address: "10.0.0.9" });
    resolver.apply(["db.test"]);
    await pass(200);
    expect(resolver.resolve("db.test")).toEqual({ address: "10.0.0.9", problem: "no such name" });
  });
});

test("an address that this node must not use is refused, whoever has found it", async () => {
  answers.set("db.test", { a: "10.0.0.1" });
  const a = await join("a");
  const b = await join("b", { denied: "10.0.0.1" });
  for (const { resolver } of [a, b]) resolver.apply(["db.test"]);
  await pass(200);
  expect(a.resolver.resolve("db.test")).toMatchObject({ address: "10.0.0.1" });
  expect(b.resolver.resolve("db.test")).toEqual({ problem: "answer for db.test refused: 10.0.0.1 is denied" });
});

test("a record that goes while its name is in use leaves its address standing", async () => {
  answers.set("db.test", { a: "10.0.0.1" });
  const { resolver, changes } = await join("a");
  resolver.apply(["db.test"]);
  await pass(200);
  await shared.txn({ success: [{ type: "delete", key: "/lb/v1/dns/db.test" }] });
  await pass(200);
  expect(resolver.resolve("db.test")).toMatchObject({ address: "10.0.0.1" });
  expect(changes).toHaveLength(1);
});
