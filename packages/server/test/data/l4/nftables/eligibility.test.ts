import { describe, expect, test } from "@jest/globals";

import { assign, type AssignmentContext, isSameAssignment } from "../../../../src/data/l4/nftables/assignment.ts";
import { type HostFacts, isOwnVip, whyNotInKernel } from "../../../../src/data/l4/nftables/eligibility.ts";
import type { BackendUnit, ListenerUnit, PoolUnit, Unit } from "../../../../src/snapshot/snapshot.ts";
import { backendUnit, listenerUnit, poolUnit, unit } from "../../units.ts";
import { poolPolicy, sni } from "../sni-policies.ts";

const HOST: HostFacts = {
  addresses: new Map([
    ["203.0.113.1", "lo"],
    ["203.0.113.2", "lo"],
    ["192.0.2.1", "eth0"],
  ]),
  forwards: { ipv4: true, ipv6: true },
};

interface Wanted {
  readonly vip?: string;
  readonly listener?: Partial<ListenerUnit>;
  readonly pool?: Partial<PoolUnit>;
  readonly backend?: Partial<BackendUnit>;
}

function unitOf({ vip = "203.0.113.1", listener, pool, backend }: Wanted): Unit {
  const backends = [backendUnit("b", { address: "10.0.0.1", ...backend })];
  return unit({ vip, listeners: [listenerUnit(listener)], pools: [poolUnit(backends, pool)] });
}

const whyNot = (wanted: Wanted, host = HOST) => {
  const one = unitOf(wanted);
  return whyNotInKernel(one, one.listeners[0]!, host);
};

describe("whyNotInKernel", () => {
  test.each([
    [{}],
    [{ listener: { protocol: "UDP" }, pool: { protocol: "UDP" } }],
    [{ pool: { algorithm: "IP_HASH" } }],
    [{ pool: { algorithm: "LEAST_CONNECTIONS", sourceIpPersistence: true } }],
    [{ pool: { forwarding: "NAT" } }],
    [{ vip: "2001:db8::1", backend: { address: "fd00::1" } }],
    [{ vip: "203.0.113.77" }],
    [{ pool: { algorithm: "MAGLEV", slowStartMs: 1000 } }],
  ] as Wanted[][])("takes %j", (wanted) => expect(whyNot(wanted)).toBeUndefined());

  test.each([
    [{ listener: { protocol: "HTTP" } }, "protocol HTTP is spoken in user space"],
    [{ vip: "127.10.0.1" }, "VIP 127.10.0.1 is a loopback address"],
    [{ vip: "::1" }, "VIP ::1 is a loopback address"],
    [{ vip: "192.0.2.1" }, "VIP 192.0.2.1 is the host's own address, on eth0"],
    [{ listener: { defaultPoolId: "none" } }, "it has no pool"],
    [{ pool: { algorithm: "LEAST_CONNECTIONS" } }, "pool pool has algorithm LEAST_CONNECTIONS"],
    [{ pool: { algorithm: "RANDOM" } }, "pool pool has algorithm RANDOM"],
    [{ listener: { proxyProtocol: { trustedCidrs: [] } } }, "accept_proxy_protocol takes user space"],
    [{ listener: { sniPolicies: [] } }, "routing by SNI takes user space"],
    [{ pool: { sendProxyProtocol: "V2" } }, "pool pool: send_proxy_protocol takes user space"],
    [{ pool: { outlierDetection: {} } }, "pool pool: outlier_detection takes user space"],
    [{ pool: { slowStartMs: 1000 } }, "pool pool has slow_start_s"],
    [{ backend: { address: "127.0.0.1" } }, "backend b is this host (127.0.0.1)"],
    [{ backend: { address: "192.0.2.1" } }, "backend b is this host (192.0.2.1)"],
    [{ backend: { address: "203.0.113.2" } }, "backend b is this host (203.0.113.2)"],
    [{ backend: { address: "fd00::1" } }, "backend b (fd00::1) is not of the VIP's family"],
    [{ backend: { maxConnections: 5 } }, "backend b has max_connections"],
  ] as readonly unknown[] as [Wanted, string][])("leaves %j to user space: %s", (wanted, reason) => {
    expect(whyNot(wanted)).toEqual({ kind: "listener", reason: expect.stringContaining(reason) });
  });

  test("a host that forwards nothing is the host's fault, and says what to set", () => {
    const host = { ...HOST, forwards: { ipv4: false, ipv6: false } };
    expect(whyNot({}, host)).toEqual({
      kind: "host",
      reason: expect.stringContaining("sysctl -w net.ipv4.ip_forward=1"),
    });
    expect(whyNot({ vip: "2001:db8::1", backend: { address: "fd00::1" } }, host)?.reason).toContain(
      "net.ipv6.conf.all.forwarding",
    );
  });
});

test("a VIP is guarded unless the host itself is reached by it", () => {
  const own = ["203.0.113.1", "203.0.113.77", "192.0.2.1", "127.0.0.1"].map((vip) => isOwnVip(vip, HOST));
  expect(own).toEqual([true, true, false, false]);
});

describe("assign", () => {
  const context = (part: Partial<AssignmentContext> = {}): AssignmentContext => ({
    mode: "auto",
    host: HOST,
    unavailable: undefined,
    refused: undefined,
    ...part,
  });

  test("what user space is left with is the very unit when the kernel takes nothing", () => {
    const one = unitOf({});
    expect(assign(one, context()).inUserSpace.listeners).toEqual([]);
    expect(assign(one, context({ mode: "userspace" })).inUserSpace).toBe(one);
  });

  test("with nftables a host that isn't ready is a problem, what no kernel can do is not", () => {
    const held = assign(unitOf({}), context({ mode: "nftables", unavailable: "nft is not installed" }));
    expect(held.inUserSpace.listeners).toEqual([]);
    expect(held.problems).toEqual([
      {
        loadBalancerId: "lb",
        listenerId: "listener",
        reason: "Cannot forward listener lb/tcp: nft is not installed",
        isClosed: true,
      },
    ]);
    const random = assign(unitOf({ pool: { algorithm: "RANDOM" } }), context({ mode: "nftables" }));
    expect([random.inUserSpace.listeners.length, random.problems]).toEqual([1, []]);
  });

  test.each([
    [
      { pool: { forwarding: "NAT" } },
      "pool pool: forwarding NAT needs the kernel driver, which does not serve listener tcp",
    ],
  ] as [Wanted, string][])("%j in user space is asked for in vain", (wanted, reason) => {
    const { problems, inUserSpace } = assign(unitOf(wanted), context({ mode: "userspace" }));
    expect(problems.map((problem) => problem.reason)).toEqual([expect.stringContaining(reason)]);
    expect(inUserSpace.listeners).toHaveLength(1);
    expect(assign(unitOf(wanted), context()).problems).toEqual([]);
  });

  test.each([
    ["NAT", "TCP", { sniPolicies: [poolPolicy("special", sni({ value: "a.example" }))] }, "routing by SNI"],
    ["DSR", "TCP", { sniPolicies: [poolPolicy("special", sni({ value: "a.example" }))] }, "routing by SNI"],
    ["NAT", "HTTP", { http: { policies: [poolPolicy("special")] } }, "protocol HTTP is spoken in user space"],
  ] as unknown as [PoolUnit["forwarding"], ListenerUnit["protocol"], Partial<ListenerUnit>, string][])(
    "a pool with %s that only policies of a %s listener lead to is asked for in vain",
    (forwarding, protocol, listener, why) => {
      const one = unitOf({ listener: { protocol, ...listener } });
      const special = poolUnit([], { id: "special", name: "special", forwarding: forwarding as "NAT" });
      const idle = poolUnit([], { id: "idle", name: "idle", forwarding: "DSR" });
      const { problems, inUserSpace } = assign({ ...one, pools: [...one.pools, idle, special] }, context());
      const needs = `pool special: forwarding ${forwarding} needs the kernel driver, which does not serve listener tcp`;
      expect(problems).toEqual([
        { loadBalancerId: "lb", listenerId: "listener", reason: expect.stringMatching(`^${needs}: ${why}`) },
      ]);
      expect(inUserSpace.listeners).toHaveLength(1);
    },
  );

  test("is the same for as long as it comes to the same", () => {
    const one = unitOf({});
    expect(isSameAssignment(assign(one, context()), assign(one, context()))).toBe(true);
    expect(isSameAssignment(assign(one, context()), assign(one, context({ refused: "no" })))).toBe(false);
    expect(isSameAssignment(assign(one, context()), assign({ ...one }, context()))).toBe(false);
  });
});
