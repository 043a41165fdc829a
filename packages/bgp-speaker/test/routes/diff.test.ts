import { expect, test } from "@jest/globals";
import fc from "fast-check";

import { diffRoutes, nextChanges, noChanges, type PathTable, type RouteChanges } from "../../src/routes/diff.ts";
import { anyTable } from "../arbitraries.ts";

function apply(table: PathTable, { withdraw, add }: RouteChanges): PathTable {
  const next = new Map(table);
  for (const { prefix } of withdraw) next.delete(prefix);
  for (const path of add) next.set(path.prefix, path);
  return next;
}

test("applying the difference makes what is held what is desired", () => {
  fc.assert(
    fc.property(anyTable, anyTable, (desired, held) => {
      const changes = diffRoutes(desired, held);
      expect(apply(held, changes)).toEqual(desired);
      expect(noChanges(diffRoutes(desired, apply(held, changes)))).toBe(true);
    }),
  );
});

test("nothing is withdrawn that is desired, nothing added that is held as it is", () => {
  fc.assert(
    fc.property(anyTable, anyTable, (desired, held) => {
      const { withdraw, add } = diffRoutes(desired, held);
      for (const { prefix } of withdraw) expect(desired.has(prefix)).toBe(false);
      for (const path of add) expect(held.get(path.prefix)).not.toEqual(path);
    }),
  );
});

test("the next changes are no more than asked for, and withdrawals come first", () => {
  fc.assert(
    fc.property(anyTable, anyTable, fc.integer({ min: 1, max: 5 }), (desired, held, atMost) => {
      const changes = diffRoutes(desired, held);
      const { withdraw, add } = nextChanges(changes, atMost);
      expect(withdraw.length + add.length).toBe(Math.min(atMost, changes.withdraw.length + changes.add.length));
      if (add.length > 0) expect(withdraw).toEqual(changes.withdraw);
    }),
  );
});
