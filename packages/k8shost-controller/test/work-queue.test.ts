import { expect, test } from "@jest/globals";

import { type RunResult, WorkQueue } from "../src/work-queue.ts";
import { FakeClock } from "./fake-clock.ts";

interface Run {
  readonly item: string;
  readonly end: (result: RunResult["kind"]) => void;
}

function setUp(concurrency = 2) {
  const clock = new FakeClock();
  const runs: Run[] = [];
  const queue = new WorkQueue<string>({
    clock,
    fraction: () => 1,
    concurrency,
    retryMs: { min: 200, max: 1000 },
    textOf: (item) => item,
    run: (item) => new Promise((resolve) => runs.push({ item, end: (kind) => resolve({ kind }) })),
  });
  /** Ends the oldest run, and waits until the queue has noticed. */
  const end = async (kind: RunResult["kind"]): Promise<void> => {
    runs.shift()?.end(kind);
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  };
  return { clock, queue, end, running: () => runs.map(({ item }) => item) };
}

test("a few run at once, each key once, the others when there is room", async () => {
  const { queue, end, running } = setUp(2);
  for (const item of ["a", "b", "a", "c", "c"]) queue.add(item);
  expect(running()).toEqual(["a", "b"]);
  await end("done");
  // `a` was asked for while it ran, so that it runs again, after those that were there before.
  expect(running()).toEqual(["b", "c"]);
  await end("done");
  expect(running()).toEqual(["c", "a"]);
  await end("done");
  await end("done");
  await queue.idle();
  expect(running()).toEqual([]);
});

test("one that fails comes again after pauses that double up to a longest, and holds up nobody", async () => {
  const { clock, queue, end, running } = setUp(1);
  queue.add("broken");
  const pauses: number[] = [];
  for (let failure = 0; failure < 5; failure += 1) {
    await end("failed");
    const startMs = clock.nowMs();
    queue.add("fine");
    expect(running()).toEqual(["fine"]);
    await end("done");
    while (running().length === 0) clock.advance(50);
    pauses.push(clock.nowMs() - startMs);
  }
  expect(pauses).toEqual([200, 400, 800, 1000, 1000]);
  await end("done");
  queue.add("broken");
  await end("failed");
  clock.advance(200);
  expect(running()).toEqual(["broken"]);
});

test("a change ends the pause at once, a suggestion does not", async () => {
  const { clock, queue, end, running } = setUp();
  queue.add("web");
  await end("failed");
  queue.suggest("web");
  expect(running()).toEqual([]);
  queue.add("web");
  expect(running()).toEqual(["web"]);
  await end("failed");
  // The pause goes on growing: being asked for is no success.
  clock.advance(399);
  expect(running()).toEqual([]);
  queue.retryAll();
  expect(running()).toEqual(["web"]);
  expect(clock.pending).toBe(0);
});

test("what is under way is looked at again soon, and less and less often", async () => {
  const { clock, queue, end, running } = setUp();
  queue.add("web");
  const pauses: number[] = [];
  for (let turn = 0; turn < 8; turn += 1) {
    await end("wait");
    const startMs = clock.nowMs();
    while (running().length === 0) clock.advance(100);
    pauses.push(clock.nowMs() - startMs);
  }
  expect(pauses).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000]);
});

test("stopping waits for what runs, and nothing comes after", async () => {
  const { clock, queue, end, running } = setUp();
  queue.add("web");
  queue.add("failed");
  const stopped = queue.stop();
  await end("failed");
  await end("failed");
  await stopped;
  queue.add("late");
  clock.advance(100_000);
  expect(running()).toEqual([]);
  expect(clock.pending).toBe(0);
});
