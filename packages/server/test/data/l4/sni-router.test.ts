import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import { SniRouter } from "../../../src/data/l4/sni-router.ts";
import { compileRoutes } from "../../../src/data/l7/router.ts";
import type { PolicyUnit, RuleUnit } from "../../../src/snapshot/snapshot.ts";
import { request } from "../l7/requests.ts";
import { poolPolicy, sni } from "./sni-policies.ts";

/** The pool that a name goes to; undefined = the default. */
function poolOf(policies: readonly PolicyUnit[], serverName: string | undefined): string | undefined {
  return new SniRouter(policies).route(serverName)?.pools?.pick(0);
}

describe("a rule", () => {
  it.each<[Partial<RuleUnit>, string | undefined, boolean]>([
    [{ value: "shop.example" }, "shop.example", true],
    [{ value: "SHOP.Example." }, "shop.example", true],
    [{ value: "shop.example" }, "a.shop.example", false],
    [{ value: "*.shop.example" }, "a.shop.example", true],
    [{ value: "*.shop.example" }, "a.b.shop.example", false],
    [{ value: "*.shop.example" }, "shop.example", false],
    [{ compareType: "STARTS_WITH", value: "shop." }, "shop.example", true],
    [{ compareType: "ENDS_WITH", value: ".Example" }, "shop.example", true],
    [{ compareType: "CONTAINS", value: "op.ex" }, "shop.example", true],
    [{ compareType: "REGEX", value: "^s[a-z]+\\.EXAMPLE$" }, "shop.example", true],
    [{ compareType: "REGEX", value: "^s$" }, "shop.example", false],
    [{ value: "shop.example", invert: true }, "shop.example", false],
    [{ value: "shop.example", invert: true }, "other.example", true],
    [{ value: "shop.example" }, undefined, false],
    [{ value: "shop.example", invert: true }, undefined, true],
    [{ compareType: "REGEX", value: "" }, undefined, false],
  ])("%j of %s: %s", (rule, name, matches) => {
    expect(poolOf([poolPolicy("pool", sni(rule))], name)).toBe(matches ? "pool" : undefined);
  });
});

describe("a policy", () => {
  it("is the first that matches, however it is found", () => {
    const policies = [
      poolPolicy("rest", sni({ compareType: "ENDS_WITH", value: ".late.example" })),
      poolPolicy("wild", sni({ value: "*.example" })),
      poolPolicy("exact", sni({ value: "a.example" })),
      poolPolicy("b", sni({ value: "b.late.example" })),
    ];
    expect(poolOf(policies, "a.example")).toBe("wild");
    expect(poolOf(policies, "b.late.example")).toBe("rest");
    expect(poolOf(policies.toReversed(), "b.late.example")).toBe("b");
    expect(poolOf(policies.toReversed(), "a.example")).toBe("exact");
  });

  it("needs all of its rules", () => {
    const policy = poolPolicy("pool", sni({ value: "*.example" }), sni({ value: "a.example", invert: true }));
    expect(poolOf([policy], "a.example")).toBeUndefined();
    expect(poolOf([policy], "b.example")).toBe("pool");
  });

  it("without rules, or with one that can't be judged, takes nothing", () => {
    const policies = [
      poolPolicy("none"),
      poolPolicy("broken", sni({ compareType: "REGEX", value: "(" })),
      poolPolicy("foreign", { ...sni({ value: "/" }), type: "PATH" }, sni({ value: "a.example" })),
    ];
    expect(poolOf(policies, "a.example")).toBeUndefined();
  });

  it("may refuse", () => {
    const refusal: PolicyUnit = { ...poolPolicy("", sni({ value: "a.example" })), action: { type: "REJECT" } };
    expect(new SniRouter([refusal]).route("a.example")).toEqual(expect.objectContaining({ pools: undefined }));
  });
});

it("says what the router of requests says of the same policies", () => {
  const name = fc.constantFrom("a.example", "b.example", "a.b.example", "example", "x.test", undefined);
  const rule = fc.record({
    compareType: fc.constantFrom("EQUAL_TO" as const, "STARTS_WITH" as const, "ENDS_WITH" as const, "REGEX" as const),
    value: fc.constantFrom("a.example", "*.example", "example", "a", "*.b.example"),
    invert: fc.boolean(),
  });
  const rules = fc.array(
    rule.map((one) => sni({ ...one, value: one.compareType === "REGEX" ? "a" : one.value })),
    {
      maxLength: 3,
    },
  );
  fc.assert(
    fc.property(fc.array(rules, { maxLength: 8 }), name, (policies, serverName) => {
      const units = policies.map((ruleUnits, index) => poolPolicy(`pool-${index}`, ...ruleUnits));
      const route = compileRoutes(units).route(request({ sni: serverName }));
      const expected = route.kind === "pool" ? route.pools.pick(0) : undefined;
      expect(poolOf(units, serverName)).toBe(expected);
    }),
    { numRuns: 1000 },
  );
});
