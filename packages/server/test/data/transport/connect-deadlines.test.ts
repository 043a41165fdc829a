import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import { ConnectDeadlines } from "../../../src/data/transport/connect-deadlines.ts";
import { FakeClock } from "../../fake-clock.ts";

function deadline(clock: FakeClock, deadlineMs: number): { deadlineMs: number; expire(): void; expiredAtMs?: number } {
  return {
    deadlineMs,
    expire() {
      this.expiredAtMs = clock.nowMs();
    },
  };
}

describe("ConnectDeadlines", () => {
  it("expires each at its time, and none that was met", () => {
    const plan = fc.array(fc.record({ atMs: fc.integer({ min: 0, max: 1000 }), met: fc.boolean() }));
    fc.assert(
      fc.property(plan, (entries) => {
        const clock = new FakeClock();
        const deadlines = new ConnectDeadlines(clock);
        const all = entries.map(({ atMs }) => deadline(clock, atMs));
        for (const one of all) deadlines.add(one);
        for (const [index, { met }] of entries.entries()) if (met) deadlines.delete(all[index]!);
        clock.advance(1000);
        expect(all.map(({ expiredAtMs }) => expiredAtMs)).toEqual(
          entries.map(({ atMs, met }) => (met ? undefined : atMs)),
        );
        expect(clock.pending).toBe(0);
      }),
    );
  });

  it("has one timer, whatever the number of deadlines", () => {
    const clock = new FakeClock();
    const deadlines = new ConnectDeadlines(clock);
    for (const atMs of [500, 400, 600, 300]) deadlines.add(deadline(clock, atMs));
    expect(clock.pending).toBe(1);
    clock.advance(450);
    expect(clock.pending).toBe(1);
  });

  it("takes a new deadline from inside one that expires", () => {
    const clock = new FakeClock();
    const deadlines = new ConnectDeadlines(clock);
    const second = deadline(clock, 200);
    deadlines.add({ deadlineMs: 100, expire: () => deadlines.add(second) });
    clock.advance(200);
    expect(second.expiredAtMs).toBe(200);
  });
});
