import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import { IdleSweep } from "../../../src/data/l4/idle-sweep.ts";
import { FakeClock } from "../../fake-clock.ts";

class Subject {
  moved = true;
  quietSinceMs = 0;
  expiredAtMs: number | undefined;
  readonly #clock: FakeClock;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  expire(): void {
    this.expiredAtMs ??= this.#clock.nowMs();
  }
}

describe("IdleSweep", () => {
  it("never ends anything early, and late by at most an eighth of the timeout", () => {
    const steps = fc.array(fc.integer({ min: 0, max: 1500 }), { maxLength: 20 });
    fc.assert(
      fc.property(steps, fc.integer({ min: 160, max: 5000 }), (gaps, timeoutMs) => {
        const clock = new FakeClock();
        const subject = new Subject(clock);
        const sweep = new IdleSweep(clock, [subject], timeoutMs);
        sweep.start();
        let lastMs = 0;
        for (const gapMs of gaps) {
          clock.advance(gapMs);
          if (subject.expiredAtMs !== undefined) break;
          subject.moved = true;
          lastMs = clock.nowMs();
        }
        clock.advance(timeoutMs * 2);
        const silentMs = (subject.expiredAtMs ?? Infinity) - lastMs;
        expect(silentMs).toBeGreaterThanOrEqual(timeoutMs);
        expect(silentMs).toBeLessThanOrEqual(timeoutMs * 1.125 + 1e-6);
      }),
    );
  });

  it("ends nothing early after the process was stopped for long", () => {
    const clock = new FakeClock();
    const subject = new Subject(clock);
    const sweep = new IdleSweep(clock, [subject], 1600);
    sweep.start();
    clock.advance(100);
    // Suspended: the next sweep comes late and finds a byte that has just moved.
    subject.moved = true;
    clock.advance(50);
    expect(subject.expiredAtMs).toBeUndefined();
    clock.advance(1500);
    expect(subject.expiredAtMs).toBeUndefined();
    clock.advance(300);
    expect(subject.expiredAtMs).toBeDefined();
  });

  it("does nothing for a timeout of 0, until one is set", () => {
    const clock = new FakeClock();
    const subject = new Subject(clock);
    const sweep = new IdleSweep(clock, [subject], 0);
    sweep.start();
    clock.advance(10_000_000);
    expect(subject.expiredAtMs).toBeUndefined();
    sweep.timeoutMs = 1000;
    clock.advance(1125);
    expect(subject.expiredAtMs).toBeDefined();
  });

  it("has one timer while it runs and none when stopped", () => {
    const clock = new FakeClock();
    const sweep = new IdleSweep(clock, [new Subject(clock), new Subject(clock)], 1000);
    expect(clock.pending).toBe(0);
    sweep.start();
    sweep.start();
    expect(clock.pending).toBe(1);
    clock.advance(5000);
    expect(clock.pending).toBe(1);
    sweep.stop();
    sweep.stop();
    expect(clock.pending).toBe(0);
  });

  it("notices a shortened timeout within ten seconds, however long the old one was", () => {
    const clock = new FakeClock();
    const subject = new Subject(clock);
    const sweep = new IdleSweep(clock, [subject], 86_400_000);
    sweep.start();
    clock.advance(20_000);
    sweep.timeoutMs = 1000;
    clock.advance(63);
    expect(subject.expiredAtMs).toBeDefined();
  });
});
