import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import { Slots } from "../../src/data/slots.ts";

/** As many as are remembered. */
const MANY = 1024;

const never = (): void => {
  throw new Error("reused");
};

/** Vacates enough other ids that those which went before are forgotten. */
function churn(slots: Slots, from = 0): void {
  for (let id = from; id < from + MANY; id++) slots.take(`churn ${id}`, () => undefined);
  for (let id = from; id < from + MANY; id++) slots.vacate(`churn ${id}`);
}

describe("slots", () => {
  it("gives every id its own and keeps it", () => {
    const slots = new Slots(() => false);
    expect(["a", "b", "a"].map((id) => slots.take(id, never))).toEqual([0, 1, 0]);
    expect([slots.get("a"), slots.get("b"), slots.get("c")]).toEqual([0, 1, undefined]);
  });

  it("gives an id that comes back its old one", () => {
    const slots = new Slots(() => false);
    slots.take("a", never);
    slots.vacate("a");
    expect(slots.take("b", never)).toBe(1);
    expect([slots.get("a"), slots.take("a", never)]).toEqual([0, 0]);
  });

  it("hands a forgotten id's slot on, after saying so", () => {
    const slots = new Slots(() => false);
    slots.take("a", never);
    slots.vacate("a");
    churn(slots);
    expect(slots.get("a")).toBeUndefined();
    const reused: number[] = [];
    expect(slots.take("b", (slot) => reused.push(slot))).toBe(0);
    expect(reused).toEqual([0]);
  });

  it("hands no slot on in which connections are counted", () => {
    const busy = new Set([0]);
    const slots = new Slots((slot) => busy.has(slot));
    slots.take("a", never);
    slots.vacate("a");
    churn(slots);
    expect(slots.get("a")).toBe(0);
    busy.clear();
    churn(slots, MANY);
    expect(slots.get("a")).toBeUndefined();
  });

  it("never has two ids in one slot, and stays small", () => {
    const step = fc.record({ id: fc.nat(3000), come: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 6000, size: "max" }), (steps) => {
        const slots = new Slots(() => false);
        const here = new Map<string, number>();
        for (const { id, come } of steps) {
          if (come)
            here.set(
              `${id}`,
              slots.take(`${id}`, () => undefined),
            );
          else if (here.delete(`${id}`)) slots.vacate(`${id}`);
        }
        expect(new Set(here.values()).size).toBe(here.size);
        for (const slot of here.values()) expect(slot).toBeLessThan(3001 + MANY);
      }),
      { numRuns: 20 },
    );
  });
});
