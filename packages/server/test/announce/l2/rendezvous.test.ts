import { expect, test } from "@jest/globals";
import fc from "fast-check";

import { rankNodes } from "../../../src/announce/l2/rendezvous.ts";

const nodes = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 8 });

test("the order does not depend on the order in which nodes are known", () => {
  fc.assert(
    fc.property(fc.string(), nodes, (vip, names) => {
      expect(rankNodes(vip, names)).toEqual(rankNodes(vip, names.toReversed()));
    }),
  );
});

test("a node that goes changes nothing among the others", () => {
  fc.assert(
    fc.property(fc.string(), nodes, (vip, names) => {
      const [gone, ...others] = names;
      expect(rankNodes(vip, names).filter((name) => name !== gone)).toEqual(rankNodes(vip, others));
    }),
  );
});

test("VIPs are spread evenly", () => {
  const firsts = new Map<string, number>();
  for (let at = 0; at < 3000; at += 1) {
    const [first = ""] = rankNodes(`10.0.${at >> 8}.${at & 255}`, ["lb-1", "lb-2", "lb-3"]);
    firsts.set(first, (firsts.get(first) ?? 0) + 1);
  }
  for (const count of firsts.values()) expect(Math.abs(count - 1000)).toBeLessThan(100);
});

test("the order is the same in every release: a rolling upgrade moves nothing", () => {
  expect(rankNodes("192.0.2.1", ["lb-1", "lb-2", "lb-3"])).toEqual(["lb-1", "lb-2", "lb-3"]);
  expect(rankNodes("2001:db8::1", ["lb-1", "lb-2", "lb-3"])).toEqual(["lb-2", "lb-1", "lb-3"]);
});
