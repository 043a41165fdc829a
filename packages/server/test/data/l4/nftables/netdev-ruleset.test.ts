import { describe, expect, test } from "@jest/globals";

import { diff, transactionText } from "../../../../src/data/l4/nftables/diff.ts";
import { type Fragment, isEmpty, NETDEV_TABLE } from "../../../../src/data/l4/nftables/fragment.ts";
import { netdevBase } from "../../../../src/data/l4/nftables/netdev-hooks.ts";
import { dsrFragment, type DsrFragmentSource } from "../../../../src/data/l4/nftables/netdev-ruleset.ts";
import { backendUnit, listenerUnit, poolUnit, unit } from "../../units.ts";

const backends = ["10.2.0.10", "10.2.0.11"].map((address, at) => backendUnit(`b${at}`, { address, port: 80 }));

function source(part: Partial<DsrFragmentSource> = {}): DsrFragmentSource {
  return {
    unit: unit({
      vip: "203.0.113.1",
      listeners: [listenerUnit({ allowedCidrs: ["10.0.0.0/8"] })],
      pools: [poolUnit(backends, { algorithm: "IP_HASH", forwarding: "DSR" })],
    }),
    byDsr: new Set(["listener"]),
    stateOf: (pool) => ({
      state: { pool, active: pool.backends },
      members: pool.backends.flatMap(({ address }) => address ?? []),
    }),
    deviceOf: () => "eth0",
    ...part,
  };
}

const change = (before: Fragment | undefined, after: Fragment): string[] =>
  transactionText([diff(before, after, { table: NETDEV_TABLE })])
    .trim()
    .split("\n");

describe("a load balancer's fragment", () => {
  const fragment = dsrFragment(source());

  test("asks the map of flows first, then the listener's checks, then the hash", () => {
    const flow = "ip saddr . th sport";
    const update = `update @flows.tcp.pool { ${flow} timeout 350000ms : meta mark }`;
    const count = "ip daddr . meta l4proto . th dport . meta mark";
    const send = 'fwd ip to meta mark map @members.tcp.pool device "eth0"';
    const notStart = "tcp flags & (fin | syn | rst | ack) != syn";
    expect(Object.fromEntries([...fragment.chains].map(([name, { rules }]) => [name, rules]))).toEqual({
      "listener.listener": [
        `${notStart} meta mark set ${flow} map @flows.tcp.pool ${update} ${count} @traffic.in4 ${send}`,
        `${notStart} goto pool.tcp.pool`,
        "ip saddr != @acl.listener goto refused.acl",
        "goto pool.tcp.pool",
      ],
      "pool.tcp.pool": [
        `delete @flows.tcp.pool { ${flow} : meta mark }`,
        "meta mark set jhash ip saddr mod 1021 seed 0x0 map @pool.tcp.pool goto send.tcp.pool",
        "goto refused.backend",
      ],
      "send.tcp.pool": [
        `tcp flags & (fin | syn | rst | ack) == syn ${count} @opened4`,
        update,
        `${count} @traffic.in4`,
        send,
      ],
    });
  });

  test("every packet of UDP asks the map, and nothing else skips the checks", () => {
    const { unit: one } = source();
    const udp = {
      ...one,
      listeners: [listenerUnit({ protocol: "UDP" })],
      pools: one.pools.map((pool) => ({ ...pool, protocol: "UDP" as const })),
    };
    const rules = dsrFragment(source({ unit: udp })).chains.get("listener.listener")?.rules;
    expect(rules).toEqual([expect.stringMatching(/^meta mark set ip saddr/), "goto pool.udp.pool"]);
  });

  test("a backend that may get nothing leaves slots and members; nothing else changes", () => {
    const stateOf: DsrFragmentSource["stateOf"] = (pool) => ({
      state: { pool, active: pool.backends.slice(1) },
      members: ["10.2.0.11"],
    });
    const lines = change(fragment, dsrFragment(source({ stateOf })));
    expect(lines.map((line) => line.split(" ", 5).join(" "))).toEqual([
      "delete element netdev fiberlb pool.tcp.pool",
      "delete element netdev fiberlb members.tcp.pool",
      "add element netdev fiberlb pool.tcp.pool",
    ]);
    expect(lines).toContain("delete element netdev fiberlb members.tcp.pool { 0x0a02000a }");
  });

  test("what packets put in is never flushed, not even where nothing is known of the set", () => {
    const unknown: Fragment = {
      ...fragment,
      sets: new Map([...fragment.sets].map(([name, set]) => [name, { ...set, elements: undefined }])),
    };
    const flushed = change(unknown, fragment).filter((line) => line.startsWith("flush"));
    expect(flushed).toEqual(
      ["acl.listener", "pool.tcp.pool", "members.tcp.pool"].map((set) => expect.stringContaining(set)),
    );
  });

  test("holds nothing of listeners that are served otherwise", () => {
    expect(isEmpty(dsrFragment(source({ byDsr: new Set() })))).toBe(true);
  });
});

test("the base has a chain for each device, which leaves other hosts' packets alone", () => {
  const { chains } = netdevBase({ node: "lb-1", devices: ["eth0", "br-lan.7"] });
  const hooked = [...chains].filter(([, { hook }]) => hook !== undefined);
  expect(hooked.map(([name]) => name)).toEqual(["ingress.eth0", "ingress.br-lan.7"]);
  for (const [, { rules }] of hooked) expect(rules?.[0]).toBe("meta pkttype != host return");
});
