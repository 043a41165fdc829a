import { describe, expect, jest, test } from "@jest/globals";

import { systemClock } from "../src/index.ts";

describe("the system clock", () => {
  test("runs a call after its delay, never before", async () => {
    const started = systemClock.now();
    // The clock's timers do not keep the process alive; this one does, until the call has run.
    const alive = setInterval(() => {}, 1000);
    await new Promise<void>((resolve) => void systemClock.after(5, resolve));
    clearInterval(alive);
    // Node's timers count whole milliseconds.
    expect(systemClock.now() - started).toBeGreaterThanOrEqual(4);
  });

  test("a cancelled call does not run, and a wait longer than Node's timers is not cut short", () => {
    jest.useFakeTimers();
    try {
      const calls: string[] = [];
      const cancel = systemClock.after(10, () => calls.push("cancelled"));
      const thirtyDaysMs = 30 * 86_400_000;
      systemClock.after(thirtyDaysMs, () => calls.push("late"));
      cancel();
      jest.advanceTimersByTime(thirtyDaysMs - 1);
      expect(calls).toEqual([]);
      jest.advanceTimersByTime(1);
      expect(calls).toEqual(["late"]);
    } finally {
      jest.useRealTimers();
    }
  });
});
