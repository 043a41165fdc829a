import { describe, expect, test } from "@jest/globals";

import type { LeaseId } from "../../src/index.ts";
import { LeaseTimers } from "../../src/lease/lease-timers.ts";
import { FakeClock } from "../fake-clock.ts";

const LEASE = "1" as LeaseId;

function start(expire: (lease: LeaseId) => Promise<void>) {
  const clock = new FakeClock();
  const errors: unknown[] = [];
  const timers = new LeaseTimers({ clock, expire, onError: (_lease, error) => errors.push(error) });
  timers.start({ lease: LEASE, ttlMs: 1000 });
  return { clock, timers, errors };
}

/** Lets what was promised by now go on. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe("lease timers", () => {
  test("an expiry that fails is told and tried again until it works; meanwhile nothing renews the lease", async () => {
    const outcomes = [new Error("disk full"), new Error("disk full"), undefined];
    let attempts = 0;
    const { clock, timers, errors } = start(() => {
      const outcome = outcomes[attempts++];
      return outcome ? Promise.reject(outcome) : Promise.resolve();
    });
    clock.advance(1000);
    await settled();
    expect(timers.renew(LEASE)).toBeUndefined();
    expect(timers.remaining(LEASE)).toBeUndefined();
    for (let retry = 0; retry < 5; retry++) {
      clock.advance(1000);
      await settled();
    }
    expect({ attempts, errors: errors.length, pending: clock.pendingCount }).toEqual({
      attempts: 3,
      errors: 2,
      pending: 0,
    });
  });

  test("a timer that is late does not let an overdue lease be renewed", () => {
    const clock = new FakeClock();
    let now = 0;
    const timers = new LeaseTimers({
      clock: { now: () => now, after: (delayMs, callback) => clock.after(delayMs, callback) },
      expire: () => Promise.resolve(),
      onError: () => {},
    });
    timers.start({ lease: LEASE, ttlMs: 1000 });
    now = 1000;
    expect(timers.renew(LEASE)).toBeUndefined();
  });

  test("many renewals leave one pending call", async () => {
    const expired: LeaseId[] = [];
    const { clock, timers } = start((lease) => Promise.resolve(void expired.push(lease)));
    for (let renewal = 0; renewal < 50; renewal++) {
      clock.advance(900);
      expect(timers.renew(LEASE)).toBe(1000);
      expect(clock.pendingCount).toBe(1);
    }
    expect(expired).toEqual([]);
    clock.advance(1000);
    await settled();
    expect(expired).toEqual([LEASE]);
  });

  test("stopping during a failing expiry ends the retries", async () => {
    let fail: (error: Error) => void = () => {};
    const { clock, timers, errors } = start(() => new Promise((_resolve, reject) => (fail = reject)));
    clock.advance(1000);
    timers.stopAll();
    fail(new Error("closed"));
    await settled();
    expect([errors.length, clock.pendingCount]).toEqual([0, 0]);
  });
});
