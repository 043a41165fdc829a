import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import {
  endsInTime,
  giveUpAtMs,
  GRACE_MS,
  lastMs,
  lifetimeS,
  mayAct,
  SWEEP_MS,
} from "../../../src/announce/l2/tenure.ts";

const tenure = fc.record({
  ttlMs: fc.integer({ min: 1000, max: 60_000 }),
  confirmedAtMs: fc.integer({ min: 0, max: 1e9 }),
});

describe("how long a node may act on its lease", () => {
  test("not longer than the store keeps the lease and the next owner waits, even with a clock that is slow", () => {
    fc.assert(
      fc.property(tenure, (one) => {
        // The store's clock runs 0.9 % faster than ours: its deadline comes earlier in our time.
        const nextActsMs = one.confirmedAtMs + (one.ttlMs + GRACE_MS) / 1.009;
        expect(lastMs(one)).toBeLessThanOrEqual(nextActsMs + 3);
        expect(giveUpAtMs(one)).toBeLessThan(lastMs(one));
      }),
    );
  });

  test("a lifetime ends in time whenever it is given, though the kernel be as late as it can be", () => {
    fc.assert(
      fc.property(tenure, fc.integer({ min: 0, max: 70_000 }), (one, ageMs) => {
        const nowMs = one.confirmedAtMs + ageMs;
        const seconds = lifetimeS(one, nowMs);
        if (seconds > 0) expect(nowMs + seconds * 1000 + SWEEP_MS).toBeLessThanOrEqual(lastMs(one));
        if (seconds > 0) expect(endsInTime(one, seconds, nowMs + 50)).toBe(true);
      }),
    );
  });

  test.each([
    // TTL, age of the confirmation, lifetime
    [3000, 0, 2],
    [3000, 120, 2],
    [3000, 121, 1],
    [3000, 1120, 1],
    [3000, 1121, 0],
    [2000, 130, 1],
    [2000, 131, 0],
    [10_000, 50, 9],
  ])("with a lease of %i ms, %i ms after a keep-alive was sent, an address gets %i s", (ttlMs, ageMs, seconds) => {
    expect(lifetimeS({ ttlMs, confirmedAtMs: 5000 }, 5000 + ageMs)).toBe(seconds);
  });

  test("without a lease there is nothing to act on", () => {
    expect(mayAct(undefined, 0)).toBe(false);
    expect(mayAct({ ttlMs: 3000, confirmedAtMs: 0 }, 2469)).toBe(true);
    expect(mayAct({ ttlMs: 3000, confirmedAtMs: 0 }, 2470)).toBe(false);
  });
});
