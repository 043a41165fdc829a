import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import { findContradiction, type Operation } from "./linearizability.ts";

const NEVER = Number.POSITIVE_INFINITY;
const read = (calledAt: number, answeredAt: number, value?: string): Operation => ({
  type: "read",
  calledAt,
  answeredAt,
  value,
});
const write = (calledAt: number, answeredAt: number, value: string): Operation => ({
  type: "write",
  calledAt,
  answeredAt,
  value,
});
const swap = (calledAt: number, answeredAt: number, from: string | undefined, value: string): Operation => ({
  type: "swap",
  calledAt,
  answeredAt,
  from,
  value,
});
const refused = (calledAt: number, answeredAt: number, from?: string, found?: string): Operation => ({
  type: "refused",
  calledAt,
  answeredAt,
  from,
  found,
});

describe("the checker", () => {
  test.each<[what: string, history: Operation[]]>([
    ["nothing", []],
    ["one after the other", [write(0, 1, "a"), read(2, 3, "a"), swap(4, 5, "a", "b"), read(6, 7, "b")]],
    ["a read during a write, old and new", [write(0, 9, "a"), read(1, 2), read(3, 4, "a")]],
    ["two writes at once, seen in either order", [write(0, 9, "a"), write(0, 9, "b"), read(10, 11, "a")]],
    ["a swap that was refused for another's", [swap(0, 5, undefined, "a"), refused(1, 6, undefined, "a")]],
    ["a lost answer that happened", [write(0, NEVER, "a"), read(5, 6), read(7, 8, "a")]],
    ["a lost answer that did not", [write(0, NEVER, "a"), read(5, 6), write(7, 8, "b"), read(9, 10, "b")]],
  ])("accepts %s", (_what, history) => {
    expect(findContradiction(history)).toBeUndefined();
  });

  test.each<[what: string, history: Operation[]]>([
    ["a stale read", [write(0, 1, "a"), write(2, 3, "b"), read(4, 5, "a")]],
    ["a write that was lost", [write(0, 1, "a"), read(2, 3)]],
    ["a value that nobody wrote", [write(0, 1, "a"), read(2, 3, "z")]],
    ["two swaps of one value", [write(0, 1, "a"), swap(2, 9, "a", "b"), swap(2, 9, "a", "c")]],
    ["a lost update", [swap(0, 1, undefined, "a"), swap(2, 3, undefined, "b")]],
    ["reads that go back", [write(0, 9, "a"), read(1, 2, "a"), read(3, 4)]],
    ["a write that happens twice", [write(0, 1, "a"), write(2, 3, "b"), read(4, 5, "b"), read(6, 7, "a")]],
    ["a lost answer before its call", [read(0, 1, "a"), write(2, NEVER, "a")]],
    ["a lost answer that happened twice", [write(0, NEVER, "a"), read(1, 2, "a"), write(3, 4, "b"), read(5, 6, "a")]],
    ["a refusal without a reason", [write(0, 1, "a"), refused(2, 3, "a", "a")]],
  ])("refuses %s", (_what, history) => {
    expect(findContradiction(history)).toBeDefined();
  });

  test("accepts whatever a register did, and refuses it with one read of another value", () => {
    const steps = fc.array(fc.record({ kind: fc.nat(2), before: fc.nat(8), after: fc.nat(8) }), { minLength: 1 });
    fc.assert(
      fc.property(steps, fc.nat(), (plan, spoil) => {
        const history = simulate(plan);
        expect(findContradiction(history)).toBeUndefined();
        const last = Math.max(...history.map(({ answeredAt }) => answeredAt));
        const bad = read(last + 1, last + 2, `spoilt ${spoil}`);
        expect(findContradiction([...history, bad])).toBe(bad);
      }),
    );
  });
});

/** Operations that happen one after the other, each somewhere between a call and an answer that may be far away. */
function simulate(plan: readonly { kind: number; before: number; after: number }[]): Operation[] {
  let value: string | undefined;
  return plan.map(({ kind, before, after }, index) => {
    const at = { calledAt: index - before / 2, answeredAt: index + after / 2 };
    if (kind === 0) return { type: "read", ...at, value };
    const from = value;
    value = `v${index}`;
    return kind === 1 ? { type: "write", ...at, value } : { type: "swap", ...at, from, value };
  });
}
