import { describe, expect, test } from "@jest/globals";

import { declareTable, diff, transactionText } from "../../../../src/data/l4/nftables/diff.ts";
import { IPV4, IPV6 } from "../../../../src/data/l4/nftables/family.ts";
import { elementCount, type Fragment, isEmpty } from "../../../../src/data/l4/nftables/fragment.ts";
import { baseFragment, tableComment } from "../../../../src/data/l4/nftables/hooks.ts";
import { idleKey, readIdleKey } from "../../../../src/data/l4/nftables/idle-timeouts.ts";
import {
  type FragmentSource,
  loadBalancerFragment,
  servedFlows,
  timeoutsOf,
} from "../../../../src/data/l4/nftables/ruleset.ts";
import { backendUnit, listenerUnit, poolUnit, unit } from "../../units.ts";

const backends = [
  backendUnit("a", { address: "10.0.0.1", port: 80 }),
  backendUnit("b", { address: "10.0.0.2", port: 80 }),
];

function source(part: Partial<FragmentSource> = {}): FragmentSource {
  return {
    unit: unit({ vip: "203.0.113.1", listeners: [listenerUnit()], pools: [poolUnit(backends)] }),
    inKernel: new Set(["listener"]),
    hasIdleTimeouts: false,
    isGuarded: true,
    stateOf: (pool) => ({ pool, active: pool.backends }),
    ...part,
  };
}

const loaded = (fragment: Fragment): string[] =>
  transactionText([diff(undefined, fragment)])
    .trim()
    .split("\n");
const rules = (fragment: Fragment, chain: string): readonly string[] => fragment.chains.get(chain)?.rules ?? [];

describe("a load balancer's fragment", () => {
  test("is one element in the verdict map, one chain and one map", () => {
    const endpoint = "203.0.113.1 . tcp . 80";
    expect(loaded(loadBalancerFragment(source()))).toEqual([
      "add map inet fiberlb pool.tcp.pool { typeof numgen inc mod 65536 : ip daddr . tcp dport; }",
      "add chain inet fiberlb pool.tcp.pool",
      "add element inet fiberlb guarded4 { 203.0.113.1 }",
      `add element inet fiberlb local4 { ${endpoint} : goto refuse }`,
      `add element inet fiberlb endpoints4 { ${endpoint} : goto pool.tcp.pool }`,
      `add element inet fiberlb masquerade4 { ${endpoint} }`,
      ...["acl", "limit", "rate", "backend"].map(
        (refusal) => `add element inet fiberlb refused.${refusal}4 { ${endpoint} }`,
      ),
      ...["opened", "traffic.in", "traffic.out"].map(
        (set) => `add element inet fiberlb ${set}4 { ${endpoint} . 10.0.0.1 . 80, ${endpoint} . 10.0.0.2 . 80 }`,
      ),
      "add element inet fiberlb pool.tcp.pool { 0 : 10.0.0.1 . 80, 1 : 10.0.0.2 . 80 }",
      "add rule inet fiberlb pool.tcp.pool meta l4proto tcp dnat ip to numgen inc mod 2 map @pool.tcp.pool",
      "add rule inet fiberlb pool.tcp.pool goto refused.backend",
    ]);
  });

  const maglev = { tableSize: 1021, hashKey: "FIVE_TUPLE", seed: 255 } as const;
  test.each([
    [{ algorithm: "MAGLEV", maglev }, "jhash ip saddr . ip daddr . tcp sport . tcp dport mod 1021 seed 0xff"],
    [{ algorithm: "MAGLEV", maglev: { ...maglev, hashKey: "SOURCE_IP" } }, "jhash ip saddr mod 1021 seed 0xff"],
    [{ sourceIpPersistence: true, maglev }, "jhash ip saddr mod 1021 seed 0xff"],
    [{ algorithm: "IP_HASH" }, "jhash ip saddr mod 1021 seed 0x0"],
    [{ algorithm: "ROUND_ROBIN" }, "numgen inc mod 2"],
    [
      { algorithm: "WEIGHTED_ROUND_ROBIN", backends: [backends[0]!, { ...backends[1]!, weight: 3 }] },
      "numgen inc mod 4",
    ],
  ] as const)("%j chooses by %s", (part, expression) => {
    const pools = [poolUnit(backends, part)];
    const fragment = loadBalancerFragment(source({ unit: { ...source().unit, pools } }));
    expect(rules(fragment, "pool.tcp.pool")[0]).toBe(`meta l4proto tcp dnat ip to ${expression} map @pool.tcp.pool`);
  });

  test("over IPv6 and UDP says so everywhere", () => {
    const pools = [
      poolUnit([backendUnit("a", { address: "fd00::1", port: 53 })], { protocol: "UDP", algorithm: "MAGLEV", maglev }),
    ];
    const listeners = [listenerUnit({ protocol: "UDP", port: 53 })];
    const fragment = loadBalancerFragment(source({ unit: unit({ vip: "2001:db8::1", listeners, pools }) }));
    expect(rules(fragment, "pool.udp.pool")[0]).toBe(
      "meta l4proto udp dnat ip6 to jhash ip6 saddr . ip6 daddr . udp sport . udp dport mod 1021 seed 0xff map @pool.udp.pool",
    );
    expect([...fragment.elements.keys()].every((set) => set.endsWith("6"))).toBe(true);
  });

  test("a listener with conditions has a chain of its own", () => {
    const listener = listenerUnit({
      allowedCidrs: ["10.1.0.0/16", "10.0.0.0/8", "192.0.2.0/24"],
      newConnectionsPerSPerSource: 5,
      connectionLimit: 100,
    });
    const fragment = loadBalancerFragment(source({ unit: { ...source().unit, listeners: [listener] } }));
    expect(fragment.elements.get("endpoints4")).toEqual(
      new Map([["203.0.113.1 . tcp . 80", "goto listener.listener"]]),
    );
    expect(rules(fragment, "listener.listener")).toEqual([
      "ip saddr != @acl.listener goto refused.acl",
      "update @rate.listener { ip saddr limit rate over 5/second burst 5 packets } goto refused.rate",
      "ct count over 100 goto refused.limit",
      "goto pool.tcp.pool",
    ]);
    // Nested networks would be refused.
    const { elements } = fragment.sets.get("acl.listener")!;
    expect([...(elements as Map<string, string>).keys()]).toEqual(["10.0.0.0/8", "192.0.2.0/24"]);
  });

  test("listeners of user space are let through, and only where the VIP is guarded", () => {
    const guarded = loadBalancerFragment(source({ inKernel: new Set() }));
    expect(guarded.elements.get("local4")).toEqual(new Map([["203.0.113.1 . tcp . 80", "accept"]]));
    expect(guarded.chains.size).toBe(0);
    expect(isEmpty(loadBalancerFragment(source({ inKernel: new Set(), isGuarded: false })))).toBe(true);
  });

  test("without anybody to choose from the map is empty and the rule stays", () => {
    const fragment = loadBalancerFragment(source({ stateOf: (pool) => ({ pool, active: [] }) }));
    expect(fragment.sets.get("pool.tcp.pool")?.elements).toEqual({ slots: [], targets: [] });
    expect(rules(fragment, "pool.tcp.pool")).toHaveLength(2);
  });

  test("a table that knows a backend which has gone is not loaded in half", () => {
    const slots = new Uint16Array(new SharedArrayBuffer(1021 * 2));
    const table = { poolId: "pool", backendIds: ["a", "gone"], slots };
    const pools = [poolUnit(backends, { algorithm: "MAGLEV", maglev })];
    const at = (ids: readonly string[]): number => {
      const stateOf: FragmentSource["stateOf"] = (pool) => ({
        pool,
        active: pool.backends,
        table: { ...table, backendIds: ids },
      });
      const fragment = loadBalancerFragment(source({ unit: { ...source().unit, pools }, stateOf }));
      return elementCount({ ...fragment, elements: new Map() });
    };
    expect([at(["a", "gone"]), at(["a", "b"])]).toEqual([0, 1021]);
  });

  test("two listeners share the chain of their pool; with NAT nothing is masqueraded", () => {
    const listeners = [listenerUnit(), listenerUnit({ id: "second", port: 81 })];
    const pools = [poolUnit(backends, { forwarding: "NAT" })];
    const fragment = loadBalancerFragment(
      source({ unit: { ...source().unit, listeners, pools }, inKernel: new Set(["listener", "second"]) }),
    );
    expect([...fragment.chains.keys()]).toEqual(["pool.tcp.pool"]);
    expect(fragment.elements.get("endpoints4")?.size).toBe(2);
    expect(fragment.elements.has("masquerade4")).toBe(false);
  });

  test("the idle timeout that all listeners of a pool have its chain sets, others their own chains", () => {
    const loadedWith = (...idleMs: number[]): Fragment => {
      const listeners = idleMs.map((clientIdleTimeoutMs, at) =>
        listenerUnit({ id: `l${at}`, port: 80 + at, clientIdleTimeoutMs }),
      );
      const inKernel = new Set(listeners.map(({ id }) => id));
      return loadBalancerFragment(source({ unit: { ...source().unit, listeners }, inKernel, hasIdleTimeouts: true }));
    };
    const same = loadedWith(350_000, 349_001);
    expect([...same.chains.keys()]).toEqual(["pool.tcp.pool"]);
    expect(rules(same, "pool.tcp.pool")[0]).toBe('ct timeout set "idle.tcp.350.4"');
    const different = loadedWith(350_000, 10);
    expect(rules(different, "listener.l1")).toEqual(['ct timeout set "idle.tcp.1.4"', "goto pool.tcp.pool"]);
    expect(rules(different, "pool.tcp.pool")).toHaveLength(2);
    expect(
      timeoutsOf({
        unit: { ...source().unit, listeners: [listenerUnit({ clientIdleTimeoutMs: 0 })] },
        inKernel: new Set(["listener"]),
      }),
    ).toEqual([]);
  });

  test.each([
    { family: IPV4, transport: "tcp", seconds: 350 },
    { family: IPV6, transport: "udp", seconds: 1 },
    { family: IPV6, transport: "tcp", seconds: 3600 },
  ] as const)("%j is found again by its key", (timeout) => expect(readIdleKey(idleKey(timeout))).toEqual(timeout));

  test("serves flows to backends in service, whatever health checks say", () => {
    const pools = [poolUnit([...backends, backendUnit("c", { weight: 0 }), backendUnit("d", { enabled: false })])];
    const flows = servedFlows({ unit: { ...source().unit, pools }, inKernel: new Set(["listener"]) });
    expect(flows.map(({ address }) => address)).toEqual(["10.0.0.1", "10.0.0.2"]);
    expect(servedFlows({ unit: source().unit, inKernel: new Set() })).toEqual([]);
  });
});

describe("the base", () => {
  const options = { node: "lb-1", forwards: true, guardRouting: { ipv4: false, ipv6: false } };

  test("bears the node's name", () => {
    const text = transactionText([declareTable("fiberlb node=lb-1"), diff(undefined, baseFragment(options))]);
    expect(text).toContain('add table inet fiberlb { comment "fiberlb node=lb-1"; }\n');
  });

  test("takes no statement out of a node's name, and cuts one that is too long", () => {
    expect(tableComment('a"; } flush ruleset')).toBe("fiberlb node=a_____flush_ruleset");
    expect(tableComment("x".repeat(253)).length).toBeLessThan(128 - " format=1".length);
  });

  test("guards without connection tracking while the kernel forwards nothing", () => {
    const text = transactionText([diff(undefined, baseFragment({ ...options, forwards: false }))]);
    expect(text).not.toMatch(/\bct\b|type nat/);
    expect(text).toContain("hook input");
  });

  test("drops what else is routed only where it is told to", () => {
    const forward = (guardRouting: { ipv4: boolean; ipv6: boolean }): readonly string[] =>
      rules(baseFragment({ ...options, guardRouting }), "forward").filter((rule) => rule.endsWith(" drop"));
    expect(forward({ ipv4: false, ipv6: false })).toEqual([]);
    expect(forward({ ipv4: true, ipv6: false })).toEqual(["meta nfproto ipv4 drop"]);
  });
});
