import { describe, expect, test } from "@jest/globals";

import { assign, servedByKernel } from "../../../../src/data/l4/nftables/assignment.ts";
import { deviceOf, ingressDevices, type Link } from "../../../../src/data/l4/nftables/dsr-eligibility.ts";
import type { HostFacts } from "../../../../src/data/l4/nftables/eligibility.ts";
import type { BackendUnit, ListenerUnit, PoolUnit, Unit } from "../../../../src/snapshot/snapshot.ts";
import { backendUnit, listenerUnit, poolUnit, unit } from "../../units.ts";

const LINKS: readonly Link[] = [
  { device: "eth0", address: "10.2.0.1", prefixLength: 16 },
  { device: "eth1", address: "10.2.9.1", prefixLength: 24 },
  { device: "eth0", address: "fd02::1", prefixLength: 64 },
];
const HOST: HostFacts = { addresses: new Map(), forwards: { ipv4: false, ipv6: false }, links: LINKS };

interface Wanted {
  readonly vip?: string;
  readonly listener?: Partial<ListenerUnit>;
  readonly pool?: Partial<PoolUnit>;
  readonly backends?: readonly Partial<BackendUnit>[];
}

function unitOf({ vip = "203.0.113.1", listener, pool, backends = [{}] }: Wanted): Unit {
  const members = backends.map((backend, at) => backendUnit(`b${at}`, { address: "10.2.0.7", port: 80, ...backend }));
  const pools = [poolUnit(members, { algorithm: "IP_HASH", forwarding: "DSR", ...pool })];
  return unit({ vip, listeners: [listenerUnit(listener)], pools });
}

const READY = { unavailable: undefined, refused: undefined };
const assigned = (wanted: Wanted, context: Partial<Parameters<typeof assign>[1]> = {}) =>
  assign(unitOf(wanted), { mode: "auto", host: HOST, ...READY, dsr: READY, ...context });

describe("a listener with direct server return", () => {
  test.each([
    [{}],
    [{ listener: { protocol: "UDP" }, pool: { protocol: "UDP" } }],
    [{ pool: { algorithm: "MAGLEV" } }],
    [{ pool: { algorithm: "LEAST_CONNECTIONS", sourceIpPersistence: true } }],
    [{ vip: "2001:db8::1", backends: [{ address: "fd02::2" }] }],
    [{ backends: [] }],
    [{ backends: [{ address: undefined as never }, {}] }],
    [{ listener: { allowedCidrs: ["10.0.0.0/8"], newConnectionsPerSPerSource: 3 } }],
  ] as Wanted[][])("is the kernel's: %j, even on a host that forwards nothing", (wanted) => {
    const { byDsr, inKernel, inUserSpace, problems } = assigned(wanted);
    expect([...byDsr]).toEqual(["listener"]);
    expect([...inKernel]).toEqual([]);
    expect([inUserSpace.listeners, problems]).toEqual([[], []]);
  });

  test.each([
    [{ pool: { algorithm: "ROUND_ROBIN" } }, "pool pool has algorithm ROUND_ROBIN: with forwarding DSR all nodes must"],
    [{ listener: { connectionLimit: 5 } }, "connection_limit takes a count of open connections"],
    [
      { backends: [{ port: 8080 }] },
      "backend b0 has port 8080: with forwarding DSR packets keep the listener's port, 80",
    ],
    [{ backends: [{ address: "192.0.2.9" }] }, "backend b0 (192.0.2.9) is on no link of this host"],
    [{ backends: [{}, { address: "10.2.9.9" }] }, "pool pool has backends on more than one device of this host"],
    [{ backends: [{ maxConnections: 5 }] }, "backend b0 has max_connections"],
    [{ listener: { proxyProtocol: { trustedCidrs: [] } } }, "accept_proxy_protocol takes user space"],
  ] as readonly unknown[] as [Wanted, string][])("is served by nobody with %j", (wanted, reason) => {
    const { inUserSpace, problems, ...rest } = assigned(wanted);
    expect([...servedByKernel({ inUserSpace, problems, ...rest })]).toEqual([]);
    expect(inUserSpace.listeners).toEqual([]);
    expect(problems).toEqual([
      {
        loadBalancerId: "lb",
        listenerId: "listener",
        reason: expect.stringContaining(`Cannot forward listener lb/tcp: ${reason}`),
        isClosed: true,
      },
    ]);
  });

  test.each([
    [{ mode: "userspace" }, "dataPlane.l4 is userspace"],
    [{ dsr: { unavailable: "no nft", refused: undefined } }, "no nft"],
    [{ dsr: { unavailable: undefined, refused: "not this one" } }, "not this one"],
  ] as const)("is served by nobody where the kernel is not used: %j", (context, reason) => {
    const { byDsr, inUserSpace, problems } = assigned({}, context);
    expect([byDsr.size, inUserSpace.listeners]).toEqual([0, []]);
    expect(problems.map((problem) => problem.reason)).toEqual([`Cannot forward listener lb/tcp: ${reason}`]);
  });

  test("does not mind that the other table cannot be used", () => {
    expect([...assigned({}, { unavailable: "no conntrack" }).byDsr]).toEqual(["listener"]);
  });
});

test("a pool's device is that of the narrowest link", () => {
  expect(deviceOf(unitOf({ backends: [{ address: "10.2.9.9" }] }).pools[0]!, LINKS)).toBe("eth1");
  expect(deviceOf(unitOf({ backends: [] }).pools[0]!, LINKS)).toBeUndefined();
  const strange = { device: 'a"b', address: "10.3.0.1", prefixLength: 24 };
  expect(ingressDevices([...LINKS, strange])).toEqual(["eth0", "eth1"]);
});
