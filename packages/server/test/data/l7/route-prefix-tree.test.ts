import { expect, it } from "@jest/globals";
import fc from "fast-check";

import { PrefixTree } from "../../../src/data/l7/route-prefix-tree.ts";

function prefixesOf(tree: PrefixTree<string>, text: string): readonly string[] {
  const found: string[] = [];
  tree.visitPrefixesOf(text, (value) => found.push(value));
  return found;
}

it("finds exactly the keys that a text begins with, the shortest first", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "/", "\u{1F600}"), maxLength: 8 });
  fc.assert(
    fc.property(fc.uniqueArray(text, { maxLength: 20 }), text, (keys, asked) => {
      const tree = new PrefixTree<string>();
      for (const key of keys) tree.getOrAdd(key, () => key);
      const expected = keys.filter((key) => asked.startsWith(key)).toSorted((a, b) => a.length - b.length);
      expect(prefixesOf(tree, asked)).toEqual(expected);
    }),
  );
});

it("keeps the value that it has", () => {
  const tree = new PrefixTree<string>();
  tree.getOrAdd("/api", () => "first");
  expect(tree.getOrAdd("/api", () => "second")).toBe("first");
});
