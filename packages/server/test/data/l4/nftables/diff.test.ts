import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import { type Change, diff, transactionText } from "../../../../src/data/l4/nftables/diff.ts";
import { EMPTY_FRAGMENT, type Fragment, type SetModel } from "../../../../src/data/l4/nftables/fragment.ts";
import { assumed, NOTHING_OBSERVED, setsBeside, stale } from "../../../../src/data/l4/nftables/observed.ts";

const lines = (change: Change): string[] => transactionText([change]).split("\n").slice(0, -1);
const fragment = (part: Partial<Fragment>): Fragment => ({ ...EMPTY_FRAGMENT, ...part });
const map = (slots: readonly number[], targets: readonly string[]): SetModel => ({
  kind: "map",
  declaration: "d;",
  elements: { slots, targets },
});

describe("diff", () => {
  test("of a map is the slots that moved", () => {
    const before = fragment({ sets: new Map([["m", map([0, 1, 0, 1], ["a", "b"])]]) });
    const after = fragment({ sets: new Map([["m", map([0, 0, 0, 1], ["a", "c"])]]) });
    expect(lines(diff(before, after))).toEqual([
      "delete element inet fiberlb m { 1, 3 }",
      "add element inet fiberlb m { 1 : a, 3 : c }",
    ]);
  });

  test("of a map whose targets are numbered otherwise and lead to the same is nothing", () => {
    const before = fragment({ sets: new Map([["m", map([0, 1], ["a", "b"])]]) });
    const after = fragment({ sets: new Map([["m", map([2, 0], ["b", "x", "a"])]]) });
    expect(lines(diff(before, after))).toEqual([]);
  });

  test("writes a chain anew only when a rule of it is another", () => {
    const chain = (...rules: string[]): Fragment => fragment({ chains: new Map([["c", { rules }]]) });
    expect(lines(diff(chain("a", "b"), chain("a", "b")))).toEqual([]);
    expect(lines(diff(chain("a"), chain("b")))).toEqual(["flush chain inet fiberlb c", "add rule inet fiberlb c b"]);
  });

  test("what goes away is taken out first, emptied and dropped last", () => {
    const before = fragment({
      sets: new Map([["m", map([0], ["a"])]]),
      chains: new Map([["c", { rules: ["r"] }]]),
      elements: new Map([["endpoints4", new Map([["k", "goto c"]])]]),
    });
    expect(lines(diff(before, undefined))).toEqual([
      "delete element inet fiberlb endpoints4 { k }",
      "flush chain inet fiberlb c",
      "delete chain inet fiberlb c",
      "delete map inet fiberlb m",
    ]);
  });

  test("in one transaction an element can go from one load balancer to another", () => {
    const having = (data: string): Fragment =>
      fragment({ elements: new Map([["endpoints4", new Map([["k", data]])]]) });
    expect(transactionText([diff(undefined, having("goto new")), diff(having("goto old"), undefined)])).toBe(
      "delete element inet fiberlb endpoints4 { k }\nadd element inet fiberlb endpoints4 { k : goto new }\n",
    );
  });

  const keyed = fc.dictionary(fc.constantFrom("a", "b", "c", "d"), fc.constantFrom("x", "y"));
  test("leads from any elements to any others", () => {
    fc.assert(
      fc.property(keyed, keyed, (from, to) => {
        const having = (elements: Record<string, string>): Fragment =>
          fragment({ elements: new Map([["s", new Map(Object.entries(elements))]]) });
        const now = new Map<string, string>(Object.entries(from));
        for (const line of lines(diff(having(from), having(to)))) {
          const [, verb, list = ""] = /^(\w+) element inet fiberlb s \{ (.*) \}$/.exec(line) ?? [];
          for (const element of list.split(", ")) {
            const [key = "", data = ""] = element.split(" : ");
            expect(now.has(key)).toBe(verb === "delete");
            if (verb === "delete") now.delete(key);
            else now.set(key, data);
          }
        }
        expect(Object.fromEntries(now)).toEqual(to);
      }),
    );
  });
});

describe("a table that an earlier process left", () => {
  const wanted = fragment({
    sets: new Map([["pool.tcp.p", map([0], ["a"])]]),
    chains: new Map([["pool.tcp.p", { rules: ["r"] }]]),
    elements: new Map([["endpoints4", new Map([["k", "goto pool.tcp.p"]])]]),
  });

  test("is kept where it is known to be right, and the rest replaced in place", () => {
    const observed = {
      chains: new Set(["pool.tcp.p"]),
      elements: new Map([["endpoints4", new Map([["k", "goto pool.tcp.p"]])]]),
    };
    expect(lines(diff(assumed(wanted, observed), wanted))).toEqual([
      "add map inet fiberlb pool.tcp.p { d; }",
      "add chain inet fiberlb pool.tcp.p",
      "flush map inet fiberlb pool.tcp.p",
      "add element inet fiberlb pool.tcp.p { 0 : a }",
      "flush chain inet fiberlb pool.tcp.p",
      "add rule inet fiberlb pool.tcp.p r",
    ]);
  });

  test("loses what nobody wants", () => {
    const observed = {
      chains: new Set(["input", "pool.tcp.p", "listener.old", "pool.udp.old"]),
      elements: new Map([
        [
          "endpoints4",
          new Map([
            ["k", "goto pool.tcp.p"],
            ["old", "goto listener.old"],
          ]),
        ],
      ]),
    };
    const base = fragment({ chains: new Map([["input", { rules: [] }]]) });
    expect(lines(diff(stale(observed, { base, fragments: [wanted] }), undefined))).toEqual([
      "delete element inet fiberlb endpoints4 { old }",
      "flush chain inet fiberlb listener.old",
      "flush chain inet fiberlb pool.udp.old",
      "delete chain inet fiberlb listener.old",
      "delete chain inet fiberlb pool.udp.old",
    ]);
    expect(lines(diff(stale(NOTHING_OBSERVED, { base, fragments: [wanted] }), undefined))).toEqual([]);
  });

  test("says by the names of chains which sets there may be", () => {
    expect(setsBeside("pool.udp.old")).toEqual([{ kind: "map", name: "pool.udp.old" }]);
    expect(setsBeside("listener.x").map(({ name }) => name)).toEqual(["acl.x", "rate.x"]);
    expect(setsBeside("refused.acl")).toEqual([]);
  });
});
