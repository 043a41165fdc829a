import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import { rolloutBounds } from "../src/deployments/amounts.ts";
import { planRollout, type Replica, type RolloutInput } from "../src/deployments/plan-rollout.ts";

const replica = (index: number, more: Partial<Replica> = {}): Replica => ({
  name: `pod-${index}`,
  isCurrent: true,
  isAvailable: true,
  isScheduled: true,
  createdMs: index,
  ...more,
});

const bounds = fc
  .record({ maxSurge: fc.nat(4), maxUnavailable: fc.nat(4) })
  .filter(({ maxSurge, maxUnavailable }) => maxSurge + maxUnavailable > 0);

const pods = fc
  .array(fc.record({ isCurrent: fc.boolean(), isAvailable: fc.boolean(), isScheduled: fc.boolean() }), {
    maxLength: 16,
  })
  .map((all) => all.map((more, index) => replica(index, more)));

const countAvailable = (all: readonly Replica[]): number => all.filter(({ isAvailable }) => isAvailable).length;

/** The Pods after one step: new ones are not available yet. */
function perform(input: RolloutInput, nextIndex: number): readonly Replica[] {
  const { create, remove } = planRollout(input);
  const made = Array.from({ length: create }, (_, index) =>
    replica(nextIndex + index, { isAvailable: false, isScheduled: false }),
  );
  return [...input.pods.filter(({ name }) => !remove.includes(name)), ...made];
}

test("a step never takes availability below the least, nor makes more Pods than the surge allows", () => {
  fc.assert(
    fc.property(fc.record({ replicas: fc.nat(8), bounds, pods }), (input) => {
      const after = perform(input, 100);
      const minAvailable = input.replicas - input.bounds.maxUnavailable;
      expect(countAvailable(after)).toBeGreaterThanOrEqual(Math.min(countAvailable(input.pods), minAvailable));
      expect(after.length).toBeLessThanOrEqual(Math.max(input.pods.length, input.replicas + input.bounds.maxSurge));
      const { remove } = planRollout(input);
      expect(new Set(remove).size).toBe(remove.length);
    }),
    { numRuns: 2000 },
  );
});

test("from any Pods it comes to exactly the wanted ones, when new Pods become available in any order", () => {
  fc.assert(
    fc.property(fc.record({ replicas: fc.nat(8), bounds, pods }), fc.infiniteStream(fc.nat(1000)), (start, choices) => {
      let input: RolloutInput = start;
      let nextIndex = 100;
      for (let round = 0; round < 200; round++) {
        const next = perform(input, nextIndex);
        nextIndex += 20;
        const starting = next.filter(({ isCurrent, isAvailable }) => isCurrent && !isAvailable);
        const isStill = planRollout({ ...input, pods: next });
        if (starting.length === 0 && isStill.create === 0 && isStill.remove.length === 0) {
          expect(next).toHaveLength(start.replicas);
          expect(next.every(({ isCurrent }) => isCurrent)).toBe(true);
          return;
        }
        const lucky = starting[(choices.next().value ?? 0) % Math.max(1, starting.length)];
        input = { ...input, pods: next.map((pod) => (pod === lucky ? { ...pod, isAvailable: true } : pod)) };
      }
      throw new Error("It did not end");
    }),
    { numRuns: 500 },
  );
});

describe("single steps", () => {
  const old = (count: number, more: Partial<Replica> = {}) =>
    Array.from({ length: count }, (_, index) => replica(index, { isCurrent: false, ...more }));

  test("surge first: with maxUnavailable 0 nothing goes before something new serves", () => {
    const input = { replicas: 3, bounds: { maxSurge: 1, maxUnavailable: 0 } };
    expect(planRollout({ ...input, pods: old(3) })).toEqual({ create: 1, remove: [] });
    const starting = replica(9, { isAvailable: false });
    expect(planRollout({ ...input, pods: [...old(3), starting] })).toEqual({ create: 0, remove: [] });
    expect(planRollout({ ...input, pods: [...old(3), replica(9)] })).toEqual({ create: 1, remove: ["pod-2"] });
  });

  test("without surge one goes before one comes", () => {
    const input = { replicas: 3, bounds: { maxSurge: 0, maxUnavailable: 1 } };
    expect(planRollout({ ...input, pods: old(3) })).toEqual({ create: 1, remove: ["pod-2"] });
  });

  test("a template that never serves stops the rollout, and old Pods stay although one of them fails for a moment", () => {
    const broken = replica(9, { isAvailable: false });
    const [first, ...rest] = old(3);
    const flapping = { ...first!, isAvailable: false };
    const input = { replicas: 3, bounds: { maxSurge: 1, maxUnavailable: 0 }, pods: [flapping, ...rest, broken] };
    expect(planRollout(input)).toEqual({ create: 0, remove: [] });
  });

  test("scaled down: what serves nobody goes first, then the youngest", () => {
    const all = [replica(1), replica(2, { isAvailable: false }), replica(3), replica(4)];
    expect(planRollout({ replicas: 2, bounds: { maxSurge: 1, maxUnavailable: 0 }, pods: all }).remove).toEqual([
      "pod-2",
      "pod-4",
    ]);
    expect(planRollout({ replicas: 0, bounds: { maxSurge: 1, maxUnavailable: 0 }, pods: all }).remove).toHaveLength(4);
  });
});

test.each([
  [undefined, undefined, 10, { maxSurge: 3, maxUnavailable: 2 }],
  ["25%", "25%", 4, { maxSurge: 1, maxUnavailable: 1 }],
  ["2", "1", 3, { maxSurge: 2, maxUnavailable: 1 }],
  ["0", "10%", 3, { maxSurge: 0, maxUnavailable: 1 }],
  ["100%", "0", 3, { maxSurge: 3, maxUnavailable: 0 }],
  ["1%", "0", 3, { maxSurge: 1, maxUnavailable: 0 }],
])("max_surge %s and max_unavailable %s of %d", (maxSurge = "", maxUnavailable = "", replicas, expected) => {
  expect(rolloutBounds({ maxSurge, maxUnavailable } as Parameters<typeof rolloutBounds>[0], replicas)).toEqual(
    expected,
  );
});
