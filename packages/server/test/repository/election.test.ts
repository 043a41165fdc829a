import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";

import type { Election } from "../../src/repository/election.ts";
import type { NodeSession } from "../../src/repository/node-session.ts";
import { FakeClock } from "../fake-clock.ts";
import { type Connection, connect } from "../shared-store.ts";
import { type RepositoryHarness, startRepository, storeOn } from "./harness.ts";

interface Member {
  readonly name: string;
  readonly line: Connection;
  readonly harness: RepositoryHarness;
  readonly session: NodeSession;
  readonly election: Election;
  /** Whether it was elected, at each change. */
  readonly turns: boolean[];
}

let clock: FakeClock;
let shared: ReturnType<typeof storeOn>;
let members: Member[];

beforeEach(() => {
  clock = new FakeClock();
  shared = storeOn(clock);
  members = [];
});
afterEach(async () => {
  for (const { election, session, line, harness } of members) {
    line.restore();
    election.stop();
    await session.close();
    await harness.repository.stop();
  }
  await shared.close();
});

async function join(name: string): Promise<Member> {
  const line = connect(shared);
  const harness = await startRepository({ store: line.store, clock });
  const session = harness.repository.openNodeSession(name);
  const election = harness.repository.openElection(name, session);
  const turns: boolean[] = [];
  election.onChange(() => void turns.push(election.isElected));
  const member = { name, line, harness, session, election, turns };
  members.push(member);
  await pass(100);
  return member;
}

async function pass(ms: number): Promise<void> {
  for (let step = 0; step < ms; step += 100) {
    clock.advance(100);
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(elected().length).toBeLessThanOrEqual(1);
  }
}

const elected = (): string[] => members.filter(({ election }) => election.isElected).map(({ name }) => name);

describe("of several nodes", () => {
  test("one is elected, and stays so", async () => {
    for (const name of ["a", "b", "c"]) await join(name);
    const [first] = elected();
    await pass(30_000);
    expect(elected()).toEqual([first]);
  });

  test("another one is elected at once when the elected one leaves", async () => {
    const first = await join("a");
    await join("b");
    expect(elected()).toEqual(["a"]);
    first.election.stop();
    await first.session.close();
    await pass(100);
    expect(elected()).toEqual(["b"]);
    expect(first.turns.at(-1)).toBe(false);
  });

  test("the elected one that cannot reach the store stops acting before another one is elected", async () => {
    const first = await join("a");
    await join("b");
    first.line.cut();
    await pass(8000);
    expect(elected()).toEqual([]);
    expect(first.turns).toEqual([true, false]);
    await pass(4000);
    expect(elected()).toEqual(["b"]);
    first.line.restore();
    await pass(10_000);
    expect(elected()).toEqual(["b"]);
  });

  test("the only one is elected again after the store was away", async () => {
    const only = await join("a");
    only.line.cut();
    await pass(15_000);
    expect(elected()).toEqual([]);
    only.line.restore();
    await pass(5000);
    expect(elected()).toEqual(["a"]);
    expect(only.turns).toEqual([true, false, true]);
  });

  test("a short absence of the store costs no election", async () => {
    const only = await join("a");
    await join("b");
    only.line.cut();
    await pass(3000);
    only.line.restore();
    await pass(20_000);
    expect(elected()).toEqual(["a"]);
    expect(only.turns).toEqual([true]);
  });
});

test("what the elected node writes does not happen once another one is elected", async () => {
  const first = await join("a");
  const guard = first.election.guard;
  if (guard === undefined) throw new Error("nobody is elected");
  const write = (): Promise<{ readonly succeeded: boolean }> =>
    shared.txn({ compare: [guard], success: [{ type: "put", key: "/lb/v1/touched", value: new Uint8Array() }] });
  expect((await write()).succeeded).toBe(true);
  await join("b");
  first.line.cut();
  await pass(12_000);
  expect(elected()).toEqual(["b"]);
  expect(first.election.guard).toBeUndefined();
  expect((await write()).succeeded).toBe(false);
});
