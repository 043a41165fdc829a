import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import { diffUnits } from "../../src/data/unit-diff.ts";
import type { Unit } from "../../src/snapshot/snapshot.ts";
import { UnitMap } from "../../src/snapshot/unit-map.ts";

const unit = (loadBalancerId: string): Unit => ({ loadBalancerId }) as Unit;
const id = fc.stringMatching(/^[0-9a-f]{1,3}$/);
/** One hand-over after the other: which load balancers were written and which were taken out. */
const history = fc.array(fc.array(fc.tuple(id, fc.boolean()), { maxLength: 20 }), { maxLength: 10 });

const sorted = (texts: Iterable<string>): string[] => [...texts].toSorted();

describe("UnitMap", () => {
  it("holds what a Map holds, and its differences are those of Maps", () => {
    fc.assert(
      fc.property(history, (steps) => {
        let map = UnitMap.empty;
        let model = new Map<string, Unit>();
        for (const step of steps) {
          const changes = step.map(([key, stays]) => [key, stays ? unit(key) : undefined] as const);
          const next = map.with(changes);
          const nextModel = new Map(model);
          for (const [key, value] of changes) {
            if (value === undefined) nextModel.delete(key);
            else nextModel.set(key, value);
          }
          expect(new Map(next)).toEqual(nextModel);
          expect(next.size).toBe(nextModel.size);
          const [diff, expected] = [diffUnits(map, next), diffUnits(model, nextModel)];
          expect(new Set(diff.changed)).toEqual(new Set(expected.changed));
          expect(sorted(diff.removed)).toEqual(sorted(expected.removed));
          // What was handed over stays as it was.
          expect(new Map(map)).toEqual(model);
          [map, model] = [next, nextModel];
        }
      }),
    );
  });

  it("is the same object when nothing differs", () => {
    const a = unit("a");
    const map = UnitMap.empty.with([["a", a]]);
    expect(map.with([["a", a]])).toBe(map);
    expect(map.with([["b", undefined]])).toBe(map);
    expect(map.with([])).toBe(map);
  });

  it("shares every part but the one that changed", () => {
    const map = UnitMap.empty.with(Array.from({ length: 1000 }, (_, n) => [`lb-${n}`, unit(`lb-${n}`)] as const));
    const next = map.with([["lb-7", unit("lb-7")]]);
    expect(next.parts.filter((part, index) => part !== map.parts[index])).toHaveLength(1);
  });

  it("reads like a Map", () => {
    const [a, b] = [unit("a"), unit("b")];
    const map = UnitMap.empty.with(Object.entries({ a, b }));
    expect(map.get("a")).toBe(a);
    expect([map.has("a"), map.has("c")]).toEqual([true, false]);
    expect(sorted(map.keys())).toEqual(["a", "b"]);
    expect(new Set(map.values())).toEqual(new Set([a, b]));
    expect(new Map(map.entries())).toEqual(new Map(Object.entries({ a, b })));
    const seen = new Map<string, Unit>();
    map.forEach((one, key) => seen.set(key, one));
    expect(seen.size).toBe(2);
  });
});

describe("diffUnits", () => {
  it("compares everything when one side is not in parts", () => {
    const [a, b] = [unit("a"), unit("b")];
    const map = UnitMap.empty.with(Object.entries({ a, b }));
    expect(diffUnits(new Map(Object.entries({ a })), map)).toEqual({ changed: [b], removed: [] });
    expect(diffUnits(map, new Map(Object.entries({ b })))).toEqual({ changed: [], removed: ["a"] });
  });
});
