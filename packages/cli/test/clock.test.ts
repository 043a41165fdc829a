import { describe, expect, it } from "@jest/globals";

import { delay, systemClock } from "../src/clock.ts";
import { FakeClock } from "./fake-clock.ts";

describe("delay", () => {
  it("ends when the time has passed", async () => {
    const clock = new FakeClock();
    const waiting = delay(clock, 100);
    clock.advance(99);
    expect(clock.delaysMs).toEqual([1]);
    clock.advance(1);
    await waiting;
  });

  it("ends as soon as the signal aborts, and leaves nothing behind", async () => {
    const clock = new FakeClock();
    const stop = new AbortController();
    const waiting = delay(clock, 100, stop.signal);
    stop.abort();
    await waiting;
    expect(clock.delaysMs).toEqual([]);
    await delay(clock, 100, stop.signal);
  });

  it("works with real time", async () => {
    const start = systemClock.nowMs();
    await delay(systemClock, 1);
    expect(systemClock.nowMs()).toBeGreaterThanOrEqual(start);
  });
});
