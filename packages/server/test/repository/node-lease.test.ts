import type { Store } from "@fiberlb/store";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";

import { type NodeInstance, NodeLease, NodeNameTakenError } from "../../src/repository/node-lease.ts";
import { FakeClock } from "../fake-clock.ts";
import { connect } from "../shared-store.ts";
import { keysOf, storeOn } from "./harness.ts";

let clock: FakeClock;
let store: Store;
let leases: NodeLease[];
let lost: string[];
let failures: string[];

beforeEach(() => {
  clock = new FakeClock();
  store = storeOn(clock);
  [leases, lost, failures] = [[], [], []];
});
afterEach(async () => {
  for (const lease of leases) await lease.close();
  await store.close();
});

interface Given {
  readonly installation: string;
  readonly process: string;
  readonly store?: Store;
}

function leaseOf({ installation, process, store: given = store }: Given): NodeLease {
  const instance: NodeInstance = { installation, process, host: `host-${installation}`, startedAt: "2026-01-01" };
  const lease = new NodeLease({
    name: "lb-1",
    instance,
    store: given,
    clock,
    onLost: () => void lost.push(process),
    onError: (error) => void failures.push(String(error)),
  });
  leases.push(lease);
  return lease;
}

/** Lets time pass while what waits for it goes on. */
async function pass(ms: number): Promise<void> {
  for (let step = 0; step < ms; step += 100) {
    clock.advance(100);
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** What became of a claim, and after how long. */
async function outcomeOf(lease: NodeLease): Promise<{ readonly error?: unknown; readonly ms: number }> {
  const startMs = clock.nowMs();
  const outcomes: { readonly error?: unknown; readonly ms: number }[] = [];
  lease.claim().then(
    () => outcomes.push({ ms: clock.nowMs() - startMs }),
    (error: unknown) => outcomes.push({ error, ms: clock.nowMs() - startMs }),
  );
  for (;;) {
    const [outcome] = outcomes;
    if (outcome !== undefined) return outcome;
    await pass(100);
  }
}

describe("the claim to a node's name", () => {
  test("is had at once while nobody has it", async () => {
    expect(await outcomeOf(leaseOf({ installation: "a", process: "1" }))).toMatchObject({ ms: 100 });
    expect(await keysOf(store)).toEqual(["/lb/v1/node-name/lb-1"]);
  });

  test("is refused while another host's process lives, within its keep-alive, and the error says who that is", async () => {
    await leaseOf({ installation: "a", process: "1" }).claim();
    await pass(1000);
    const { error, ms } = await outcomeOf(leaseOf({ installation: "b", process: "2" }));
    expect(error).toBeInstanceOf(NodeNameTakenError);
    expect(String(error)).toMatch(/Cannot be node lb-1: host host-a runs a node of that name.*set node\.name/);
    expect(ms).toBeLessThanOrEqual(4000);
  });

  test("of another host's process that is dead is had when its lease has ended", async () => {
    const line = connect(store);
    await leaseOf({ installation: "a", process: "1", store: line.store }).claim();
    line.cut();
    const { error, ms } = await outcomeOf(leaseOf({ installation: "b", process: "2" }));
    expect(error).toBeUndefined();
    expect(ms).toBeGreaterThanOrEqual(9500);
    expect(ms).toBeLessThanOrEqual(11_000);
  });

  test("is had at once by the same installation after a crash, and what the dead process said is gone", async () => {
    const dead = leaseOf({ installation: "a", process: "1" });
    const lease = await dead.acquire();
    await store.txn({ success: [{ type: "put", key: "/lb/v1/node/lb-1", value: new Uint8Array(), lease }] });
    expect(await outcomeOf(leaseOf({ installation: "a", process: "2" }))).toMatchObject({ ms: 100 });
    expect(await keysOf(store)).toEqual(["/lb/v1/node-name/lb-1"]);
  });

  test("that another process took away is not taken back while that lives: two processes must not chase each other", async () => {
    const first = leaseOf({ installation: "a", process: "1" });
    await first.claim();
    const second = leaseOf({ installation: "a", process: "2" });
    await second.claim();
    await pass(4000);
    expect(lost).toEqual(["1"]);
    await expect(first.acquire()).rejects.toThrow(NodeNameTakenError);
    await second.close();
    await first.acquire();
  });

  test("of two that start at the same time one has it", async () => {
    const both = [leaseOf({ installation: "a", process: "1" }), leaseOf({ installation: "b", process: "2" })];
    const outcomes = await Promise.allSettled(both.map((lease) => lease.acquire()));
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  });
});

describe("the lease", () => {
  test("ends on the own clock no later than in the store, and further on with each keep-alive", async () => {
    const lease = leaseOf({ installation: "a", process: "1" });
    const held = await lease.acquire();
    const { remainingMs } = await store.leaseTimeToLive(held);
    expect(lease.endsAtMs).toBeLessThanOrEqual(clock.nowMs() + remainingMs);
    await pass(30_000);
    expect(lease.endsAtMs).toBeGreaterThan(clock.nowMs());
    expect(lease.current).toBe(held);
  });

  test("that cannot be kept alive is complained of once, and ends by the own clock", async () => {
    const line = connect(store);
    const lease = leaseOf({ installation: "a", process: "1", store: line.store });
    await lease.acquire();
    line.cut();
    await pass(12_000);
    expect(failures).toEqual(["StoreError: Cannot reach the store: the line is cut"]);
    expect(lease.endsAtMs).toBeLessThan(clock.nowMs());
    line.restore();
    await pass(3000);
    expect(lost).toEqual(["1"]);
    await lease.acquire();
    expect(lease.endsAtMs).toBeGreaterThan(clock.nowMs());
  });

  test("is given back when it is closed, and then not begun again", async () => {
    const lease = leaseOf({ installation: "a", process: "1" });
    await lease.acquire();
    await lease.close();
    expect(await keysOf(store)).toEqual([]);
    expect(lost).toEqual([]);
  });
});
