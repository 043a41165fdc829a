import { expect, test } from "@jest/globals";
import fc from "fast-check";

import { History } from "../../src/health/history.ts";

test("holds the last ones, newest first", () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), fc.integer({ min: 0, max: 12 }), (items, size) => {
      const history = new History<number>(size);
      for (const item of items) history.add(item);
      expect(history.newestFirst()).toEqual(items.toReversed().slice(0, size));
    }),
  );
});
