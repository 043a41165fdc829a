import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import {
  decideEjection,
  ejectionTimeMs,
  LONGEST_EJECTION_MS,
  nextInRow,
  type OutlierCandidate,
} from "../../src/data/outlier-detection.ts";

const pool = (...states: readonly ("up" | "down" | "out")[]): OutlierCandidate[] =>
  states.map((state, at) => ({ id: String(at), isHealthy: state !== "down", isEjected: state === "out" }));

const decide = (candidates: readonly OutlierCandidate[], maxEjectedPercent: number, id = "0") =>
  decideEjection(id, candidates, { maxEjectedPercent });

describe("decideEjection", () => {
  it("ejects one whatever the share", () => {
    expect(decide(pool("up", "up"), 10)).toBe("eject");
    expect(decide(pool("up", "up"), 0)).toBe("eject");
  });

  it("ejects more only within the share", () => {
    expect(decide(pool("up", "out", "up", "up"), 50)).toBe("eject");
    expect(decide(pool("up", "out", "up", "up"), 49)).toBe("too-many-ejected");
    expect(decide(pool("up", "out", "out", "up"), 50)).toBe("too-many-ejected");
  });

  it("never ejects the last one that serves", () => {
    expect(decide(pool("up"), 100)).toBe("last-one");
    expect(decide(pool("up", "down"), 100)).toBe("last-one");
    expect(decide(pool("up", "out", "down"), 100)).toBe("last-one");
  });

  it("leaves alone what does not serve anyhow", () => {
    expect(decide(pool("out", "up", "up"), 100)).toBe("not-serving");
    expect(decide(pool("down", "up", "up"), 100)).toBe("not-serving");
    expect(decide(pool("up", "up"), 100, "gone")).toBe("not-serving");
  });

  it("leaves one that serves, and keeps the share, whoever fails in whatever order", () => {
    const candidate = fc.record({ isHealthy: fc.boolean(), isEjected: fc.constant(false) });
    const failures = fc.array(fc.nat(19), { maxLength: 60 });
    fc.assert(
      fc.property(
        fc.array(candidate, { minLength: 1, maxLength: 20 }),
        fc.nat(100),
        failures,
        (start, percent, order) => {
          let now: OutlierCandidate[] = start.map((one, at) => ({ ...one, id: String(at) }));
          const served = now.some(({ isHealthy }) => isHealthy);
          for (const at of order) {
            if (decide(now, percent, String(at)) !== "eject") continue;
            now = now.map((one) => (one.id === String(at) ? { ...one, isEjected: true } : one));
          }
          const ejected = now.filter(({ isEjected }) => isEjected).length;
          expect(ejected).toBeLessThanOrEqual(Math.max(1, (percent * now.length) / 100));
          expect(now.some(({ isHealthy, isEjected }) => isHealthy && !isEjected)).toBe(served);
        },
      ),
    );
  });
});

describe("ejections in a row", () => {
  const row = (times: number, nowMs: number) =>
    nextInRow({ times, endedAtMs: 1000 }, { ejectionMs: 100, nowMs: 1000 + nowMs });

  it("are counted, and forgiven by time in service", () => {
    expect(nextInRow(undefined, { ejectionMs: 100, nowMs: 0 })).toBe(1);
    expect([0, 99, 100, 250, 300, 10_000].map((nowMs) => row(3, nowMs))).toEqual([4, 4, 3, 2, 1, 1]);
  });

  it("take longer each, up to a limit", () => {
    expect([1, 2, 3].map((times) => ejectionTimeMs(30_000, times))).toEqual([30_000, 60_000, 90_000]);
    expect(ejectionTimeMs(30_000, 11)).toBe(LONGEST_EJECTION_MS);
    expect(ejectionTimeMs(400_000, 5)).toBe(400_000);
  });
});
