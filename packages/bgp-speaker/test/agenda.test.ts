import { expect, test } from "@jest/globals";

import { Agenda } from "../src/agenda.ts";
import { FakeClock, settled } from "./fake-clock.ts";

function start() {
  const clock = new FakeClock();
  const agenda = new Agenda<"a" | "b">(clock);
  const seen: string[] = [];
  const wait = (): void => void agenda.next().then((tasks) => seen.push(`${clock.now()}: ${[...tasks].join(" ")}`));
  return { clock, agenda, seen, wait };
}

test("a task falls due when its time has come, together with others that are due", async () => {
  const { clock, agenda, seen, wait } = start();
  agenda.request("a", 100);
  agenda.request("b", 100);
  wait();
  clock.advance(99);
  await settled();
  expect(seen).toEqual([]);
  clock.advance(1);
  await settled();
  expect(seen).toEqual(["100: a b"]);
});

test("the earliest of the times asked for counts, also while somebody waits", async () => {
  const { clock, agenda, seen, wait } = start();
  agenda.request("a", 100);
  wait();
  agenda.request("a", 10);
  agenda.request("a", 50);
  clock.advance(10);
  await settled();
  expect(seen).toEqual(["10: a"]);
  wait();
  clock.advance(1000);
  await settled();
  expect(seen).toEqual(["10: a"]);
});

test("a task that is asked for while nobody waits is due at once", async () => {
  const { clock, agenda, seen, wait } = start();
  agenda.request("b", 5);
  clock.advance(20);
  wait();
  clock.advance(0);
  await settled();
  expect(seen).toEqual(["20: b"]);
});

test("closed, it leaves no timer and nothing falls due", async () => {
  const { clock, agenda, seen, wait } = start();
  agenda.request("a", 5);
  wait();
  agenda.close();
  agenda.request("b", 1);
  expect(clock.pendingCount).toBe(0);
  clock.advance(100);
  await settled();
  expect(seen).toEqual([]);
});
