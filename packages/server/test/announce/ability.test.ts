import { describe, expect, test } from "@jest/globals";

import { abilityOf, type NodeFacts, type UnitFacts } from "../../src/announce/ability.ts";
import type { ActionUnit, BackendHealth, ListenerUnit, PolicyUnit, RuleUnit } from "../../src/snapshot/snapshot.ts";
import { backendUnit, listenerUnit, poolUnit, unit } from "../data/units.ts";

const WORKS: NodeFacts = { draining: false };

function facts(part: Partial<UnitFacts> = {}): UnitFacts {
  return {
    vipPool: "default",
    isDown: false,
    unbound: new Map(),
    inKernel: new Set(),
    healthOf: () => "UNKNOWN",
    ...part,
  };
}

const health = (known: Record<string, BackendHealth>): UnitFacts["healthOf"] => {
  return (id) => known[id] ?? "UNKNOWN";
};

const rule: RuleUnit = { id: "rule", type: "PATH", compareType: "STARTS_WITH", value: "/", invert: false };

function policy(action: ActionUnit, rules: readonly RuleUnit[] = [rule]): PolicyUnit {
  return { id: "policy", name: "policy", rules, action, setResponseHeaders: [] };
}

function httpListener(policies: readonly PolicyUnit[], part: Partial<ListenerUnit> = {}): ListenerUnit {
  const { defaultPoolId: _, ...rest } = listenerUnit({ protocol: "HTTP" });
  return { ...rest, http: { policies } as ListenerUnit["http"] & object, ...part };
}

const checked = (id: string, part = {}) => backendUnit(id, { monitored: true, ...part });
const web = unit({ listeners: [listenerUnit()], pools: [poolUnit([checked("a"), checked("b")])] });
const redirect: ActionUnit = { type: "REDIRECT_TO_URL", url: "https://example.org/", code: 302 };
const toPools = (pools: readonly { poolId: string; weight: number }[]): ActionUnit => ({
  type: "REDIRECT_TO_POOL",
  pools,
  setRequestHeaders: [],
});

describe("a VIP can be served", () => {
  test("with one backend that is ONLINE", () => {
    const ability = abilityOf(web, facts({ healthOf: health({ a: "OFFLINE", b: "ONLINE" }) }), WORKS);
    expect(ability).toEqual({
      vip: "127.0.0.1",
      loadBalancerId: "lb",
      vipPool: "default",
      canServe: true,
      reason: "",
      canAnswer: true,
      kernelOnly: false,
    });
  });

  test.each([
    ["a backend without a health check", [backendUnit("a")]],
    ["a backup that is ONLINE", [checked("down"), checked("a", { backup: true })]],
  ])("with %s", (_, backends) => {
    const one = unit({ listeners: [listenerUnit()], pools: [poolUnit(backends)] });
    expect(abilityOf(one, facts({ healthOf: health({ a: "ONLINE", down: "OFFLINE" }) }), WORKS).canServe).toBe(true);
  });

  test.each<[string, ActionUnit]>([
    ["redirects", redirect],
    ["redirects by prefix", { type: "REDIRECT_PREFIX", url: "https://example.org", code: 301 }],
    ["answers by itself", { type: "FIXED_RESPONSE", code: 200, contentType: "text/plain", body: "" }],
  ])("with a policy that %s", (_, action) => {
    expect(abilityOf(unit({ listeners: [httpListener([policy(action)])] }), facts(), WORKS).canServe).toBe(true);
  });

  test("by a pool that only a policy leads to, of a TCP listener as well", () => {
    const { http: _, ...tcp } = httpListener([]);
    const sni = { ...tcp, protocol: "TCP" as const, sniPolicies: [policy(toPools([{ poolId: "pool", weight: 0 }]))] };
    const one = unit({ listeners: [sni], pools: [poolUnit([backendUnit("a")])] });
    expect(abilityOf(one, facts(), WORKS).canServe).toBe(true);
  });

  test("while one of two listeners is bound", () => {
    const listeners = [listenerUnit({ id: "first" }), listenerUnit({ id: "second" })];
    const one = unit({ listeners, pools: [poolUnit([backendUnit("a")])] });
    expect(abilityOf(one, facts({ unbound: new Map([["first", "in use"]]) }), WORKS).canServe).toBe(true);
  });
});

describe("a VIP that can't be served but would answer", () => {
  const reasonOf = (one: Parameters<typeof abilityOf>[0], known: Record<string, BackendHealth> = {}): string => {
    const ability = abilityOf(one, facts({ healthOf: health(known) }), WORKS);
    expect(ability).toMatchObject({ canServe: false, canAnswer: true });
    return ability.reason;
  };

  test("has no healthy backend", () => {
    expect(reasonOf(web, { a: "OFFLINE", b: "OFFLINE" })).toBe("no healthy backend on this node");
  });

  test("has backends about which nothing is known so far", () => {
    expect(reasonOf(web)).toBe("no healthy backend on this node");
  });

  test.each([
    ["weight 0", { weight: 0 }],
    ["administratively down", { enabled: false }],
  ])("has a healthy backend of %s", (_, part) => {
    const one = unit({ listeners: [listenerUnit()], pools: [poolUnit([checked("a", part)])] });
    expect(reasonOf(one, { a: "ONLINE" })).toBe("no healthy backend on this node");
  });

  test("has a healthy pool that no listener leads to", () => {
    const elsewhere = poolUnit([backendUnit("a")], { id: "other" });
    const one = unit({ listeners: [listenerUnit()], pools: [poolUnit([]), elsewhere] });
    expect(reasonOf(one)).toBe("no healthy backend on this node");
  });

  test("leads to a pool with weight 0 only beside another", () => {
    const pools = [poolUnit([], { id: "empty" }), poolUnit([backendUnit("a")], { id: "full" })];
    const both = toPools([
      { poolId: "empty", weight: 1 },
      { poolId: "full", weight: 0 },
    ]);
    expect(reasonOf(unit({ listeners: [httpListener([policy(both)])], pools }))).toBe(
      "no healthy backend on this node",
    );
  });

  test.each<[string, PolicyUnit[]]>([
    ["no policy", []],
    ["a policy without rules", [policy(redirect, [])]],
    ["a policy that rejects", [policy({ type: "REJECT" })]],
  ])("has no pool and %s", (_, policies) => {
    expect(reasonOf(unit({ listeners: [httpListener(policies)] }))).toBe("no listener leads to a pool");
  });
});

describe("nobody would answer", () => {
  const up = { healthOf: health({ a: "ONLINE" }) };

  test.each<[string, Partial<UnitFacts>, NodeFacts]>([
    ["node draining", { isDown: true }, { draining: true, dataPlaneProblem: "no worker runs" }],
    ["data plane failed: no worker runs", {}, { draining: false, dataPlaneProblem: "no worker runs" }],
    ["load balancer down", { isDown: true, vipProblem: "needs CAP_NET_ADMIN" }, WORKS],
    ["VIP could not be bound: needs CAP_NET_ADMIN", { vipProblem: "needs CAP_NET_ADMIN" }, WORKS],
    ["no listener could be bound: port in use", { unbound: new Map([["listener", "port in use"]]) }, WORKS],
  ])("%s", (reason, part, node) => {
    expect(abilityOf(web, facts({ ...up, ...part }), node)).toMatchObject({
      canServe: false,
      canAnswer: false,
      reason,
    });
  });

  test("no listener", () => {
    const ability = abilityOf(unit({ pools: [poolUnit([backendUnit("a")])] }), facts(), WORKS);
    expect(ability).toMatchObject({ canServe: false, canAnswer: false, reason: "no listener", kernelOnly: false });
  });
});

test("what the kernel forwards is served without a worker", () => {
  const node = { draining: false, dataPlaneProblem: "no worker runs" };
  const known = { healthOf: health({ a: "ONLINE" }), inKernel: new Set(["listener"]) };
  expect(abilityOf(web, facts(known), node)).toMatchObject({ canServe: true, kernelOnly: true });
});

test("a VIP is the kernel's alone when all listeners that are bound are", () => {
  const listeners = [listenerUnit({ id: "first" }), listenerUnit({ id: "second" })];
  const one = unit({ listeners, pools: [poolUnit([backendUnit("a")])] });
  const kernelOnly = (part: Partial<UnitFacts>): boolean => abilityOf(one, facts(part), WORKS).kernelOnly;
  expect(kernelOnly({ inKernel: new Set(["first"]) })).toBe(false);
  expect(kernelOnly({ inKernel: new Set(["first", "second"]) })).toBe(true);
  expect(kernelOnly({ inKernel: new Set(["first"]), unbound: new Map([["second", "in use"]]) })).toBe(true);
});
