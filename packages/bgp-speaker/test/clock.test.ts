import { expect, test } from "@jest/globals";

import { sleep, systemClock } from "../src/clock.ts";
import { FakeClock, settled } from "./fake-clock.ts";

test("the system's clock goes forwards and calls back", async () => {
  const beforeMs = systemClock.now();
  await new Promise<void>((resolve) => {
    systemClock.after(1, resolve);
    systemClock.after(0, () => expect(true).toBe(false))();
  });
  expect(systemClock.now()).toBeGreaterThanOrEqual(beforeMs);
});

test("a sleep ends when its time has come, or when it is called off; it leaves nothing behind", async () => {
  const clock = new FakeClock();
  const ended = new AbortController();
  const woken: string[] = [];
  void sleep(clock, 10, ended.signal).then(() => woken.push("short"));
  void sleep(clock, 1000, ended.signal).then(() => woken.push("long"));
  clock.advance(10);
  await settled();
  expect(woken).toEqual(["short"]);
  ended.abort();
  await settled();
  expect(woken).toEqual(["short", "long"]);
  void sleep(clock, 1000, ended.signal).then(() => woken.push("late"));
  await settled();
  expect(woken).toEqual(["short", "long", "late"]);
  expect(clock.pendingCount).toBe(0);
});
