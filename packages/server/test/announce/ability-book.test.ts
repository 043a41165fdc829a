import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import { AbilityBook, type AbilitySource } from "../../src/announce/ability-book.ts";
import { abilityOf, type NodeFacts } from "../../src/announce/ability.ts";
import type { BackendHealth, Unit } from "../../src/snapshot/snapshot.ts";
import { backendUnit, listenerUnit, poolUnit, unit } from "../data/units.ts";

function source(one: Unit, part: Partial<AbilitySource> = {}): AbilitySource {
  return { unit: one, vipPool: "default", isDown: false, unbound: new Map(), inKernel: new Set(), ...part };
}

/** With ten backends that are checked, called by the load balancer's id and a number. */
function loadBalancer(id: string, vip = "127.0.0.1"): Unit {
  const backends = Array.from({ length: 10 }, (_, index) => backendUnit(`${id}-${index}`, { monitored: true }));
  return unit({ loadBalancerId: id, vip, listeners: [listenerUnit()], pools: [poolUnit(backends)] });
}

describe("AbilityBook", () => {
  test("tells a change from none", () => {
    const book = new AbilityBook();
    const web = source(loadBalancer("web"));
    expect(book.update([["web", web]])).toBe(true);
    expect(book.update([["web", web]])).toBe(false);
    expect(book.setHealth("web", "web-0", "ONLINE")).toBe(true);
    expect(book.setHealth("web", "web-1", "ONLINE")).toBe(false);
    expect(book.setHealth("web", "web-0", "OFFLINE")).toBe(false);
    expect(book.setHealth("web", "web-1", "OFFLINE")).toBe(true);
    expect(book.setNode({ draining: true })).toBe(true);
    expect(book.setNode({ draining: true })).toBe(false);
    expect(book.update([["web", undefined]])).toBe(true);
    expect(book.update([["web", undefined]])).toBe(false);
    expect(book.abilities.size).toBe(0);
  });

  test("knows verdicts that were there before the load balancer", () => {
    const book = new AbilityBook();
    book.inheritHealth([["web-3", "ONLINE"]]);
    book.update([["web", source(loadBalancer("web"))]]);
    expect(book.abilities.get("web")?.canServe).toBe(true);
  });

  test("has a backend that was gone for a while show itself again", () => {
    const book = new AbilityBook();
    book.update([["web", source(loadBalancer("web"))]]);
    book.setHealth("web", "web-0", "ONLINE");
    book.update([["web", source({ ...loadBalancer("web"), pools: [] })]]);
    book.update([["web", source(loadBalancer("web"))]]);
    expect(book.abilities.get("web")).toMatchObject({ canServe: false, reason: "no healthy backend on this node" });
  });

  test("comes to what working out everything anew comes to", () => {
    const names = ["first", "second"] as const;
    const step = fc.oneof(
      fc.record({ name: fc.constantFrom(...names), backend: fc.nat(9), health: fc.constantFrom("ONLINE", "OFFLINE") }),
      fc.record({ name: fc.constantFrom(...names), isDown: fc.boolean() }),
      fc.record({ draining: fc.boolean() }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const book = new AbilityBook();
        const sources = new Map(names.map((name) => [name as string, source(loadBalancer(name))]));
        const health = new Map<string, BackendHealth>();
        let node: NodeFacts = { draining: false };
        book.update(sources);
        for (const one of steps) {
          if ("draining" in one) {
            node = one;
            book.setNode(node);
          } else if ("isDown" in one) {
            sources.set(one.name, source(loadBalancer(one.name), { isDown: one.isDown }));
            book.update([[one.name, sources.get(one.name)]]);
          } else {
            const backendId = `${one.name}-${one.backend}`;
            health.set(backendId, one.health);
            book.setHealth(one.name, backendId, one.health);
          }
        }
        const healthOf = (id: string): BackendHealth => health.get(id) ?? "UNKNOWN";
        for (const [id, one] of sources)
          expect(book.abilities.get(id)).toEqual(abilityOf(one.unit, { ...one, healthOf }, node));
      }),
    );
  });
});
