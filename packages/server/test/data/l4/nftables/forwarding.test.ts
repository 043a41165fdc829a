import { buildTable, FlowHash, tableFromSlots } from "@fiberlb/maglev";
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from "@jest/globals";

import { NftablesDriver } from "../../../../src/data/l4/nftables/driver.ts";
import type { Fragment } from "../../../../src/data/l4/nftables/fragment.ts";
import { loadBalancerFragment } from "../../../../src/data/l4/nftables/ruleset.ts";
import type { BackendUnit, ListenerUnit, MaglevTableUnit, PoolUnit } from "../../../../src/snapshot/snapshot.ts";
import { backendUnit, listenerUnit, poolUnit, unit } from "../../units.ts";
import type { FlowResult } from "./agent-protocol.ts";
import { type Addresses, type Agent, Testbed, V4, V6, whyNoKernel } from "./testbed.ts";

jest.setTimeout(120_000);

const PORT = 8080;
/** All of them in the nightly run: FIBERLB_FLOWS=10000. */
const FLOWS = Number(process.env["FIBERLB_FLOWS"] ?? 1000);
const why = whyNoKernel();

// What is the same in user space is in test/e2e/drivers.
(why ? describe.skip : describe)(`forwarding by the kernel${why ? ` (skipped: ${why})` : ""}`, () => {
  let bed: Testbed;
  let client: Agent;
  let driver: NftablesDriver;
  beforeAll(async () => {
    bed = new Testbed();
    client = await bed.client.agent();
    await (await bed.backends.agent()).serve([...V4.backends, ...V6.backends], PORT);
  });
  afterAll(() => bed.remove());
  beforeEach(async () => {
    driver = new NftablesDriver({ run: bed.balancer.run });
    await driver.remove("lb-1");
    bed.balancer.exec("conntrack", "-F");
  });

  interface Balanced {
    readonly at?: Addresses;
    readonly listener?: Partial<ListenerUnit>;
    readonly pool?: Partial<PoolUnit>;
    readonly backends?: readonly BackendUnit[];
    /** Default: all. */
    readonly active?: readonly BackendUnit[];
    readonly inKernel?: boolean;
  }

  const members = (at: Addresses, count = 10): BackendUnit[] =>
    at.backends.slice(0, count).map((address, index) => backendUnit(`b${index}`, { address, port: PORT }));

  function fragment(balanced: Balanced): Fragment {
    const { at = V4, listener, pool, backends = members(at), active = backends, inKernel = true } = balanced;
    return loadBalancerFragment({
      unit: unit({
        vip: at.vip,
        listeners: [listenerUnit({ port: 80, ...listener })],
        pools: [poolUnit(backends, pool)],
      }),
      inKernel: new Set(inKernel ? ["listener"] : []),
      hasIdleTimeouts: false,
      isGuarded: true,
      stateOf: (one) => ({ pool: one, active, table: one.maglev && tableUnit(backends, one.maglev.tableSize) }),
    });
  }

  function tableUnit(all: readonly BackendUnit[], size: number): MaglevTableUnit {
    const table = buildTable(
      all.map(({ id, weight }) => ({ name: id, weight })),
      { size, allocate: (bytes) => new SharedArrayBuffer(bytes) },
    );
    const slots = table.slots as Uint16Array<SharedArrayBuffer>;
    return { poolId: "pool", backendIds: table.backends.map(({ name }) => name), slots };
  }

  async function load(...fragments: readonly Fragment[]): Promise<void> {
    const base = { node: "lb-1", forwards: true, guardRouting: { ipv4: true, ipv6: true } };
    const report = await driver.apply({ base, fragments: new Map(fragments.map((one, at) => [`lb${at}`, one])) });
    expect(report).toEqual({ refused: new Map() });
  }

  const open = (flow: Partial<Parameters<Agent["open"]>[0]> = {}): Promise<FlowResult[]> =>
    client.open({ transport: "tcp", host: V4.vip, port: 80, count: 1, ...flow });
  const errors = (results: readonly FlowResult[]): string[] => results.flatMap(({ error }) => error ?? []);
  const tally = (results: readonly FlowResult[]): Record<string, number> =>
    Object.fromEntries(
      Object.entries(Object.groupBy(results, ({ backend = "" }) => backend)).map(([k, v]) => [k, v!.length]),
    );

  const maglev = { algorithm: "MAGLEV", maglev: { tableSize: 1021, hashKey: "FIVE_TUPLE", seed: 0xdeadbeef } } as const;

  describe.each([
    ["IPv4", V4, "tcp"],
    ["IPv4", V4, "udp"],
    ["IPv6", V6, "tcp"],
    ["IPv6", V6, "udp"],
  ] as const)("%s", (_family, at, transport) => {
    const protocol = transport === "tcp" ? "TCP" : "UDP";

    test(`${transport}: Maglev's pick is the library's for every flow`, async () => {
      const backends = members(at);
      await load(fragment({ at, listener: { protocol }, pool: { ...maglev, protocol } }));
      const flows = await open({ transport, host: at.vip, count: FLOWS });
      const hash = new FlowHash({ seed: maglev.maglev.seed });
      const { slots } = tableUnit(backends, 1021);
      const table = tableFromSlots(
        slots,
        backends.map(({ id, weight }) => ({ name: id, weight })),
      );
      const expected = flows.map(({ source }) => {
        const index = table.lookup(
          hash.fiveTuple({
            sourceAddress: at.client,
            sourcePort: source.port,
            destinationAddress: at.vip,
            destinationPort: 80,
          }),
        );
        return backends.find(({ id }) => id === table.backends[index]?.name)?.address;
      });
      expect(errors(flows)).toEqual([]);
      expect(flows.map(({ backend }) => backend)).toEqual(expected);
    });

    test(`${transport}: with NAT backends see the client`, async () => {
      await load(fragment({ at, listener: { protocol }, pool: { protocol, forwarding: "NAT" } }));
      expect((await open({ transport, host: at.vip }))[0]?.seen).toBe(at.client);
    });

    test(`${transport}: without a backend, without a listener: refused at once`, async () => {
      await load(fragment({ at, listener: { protocol }, pool: { protocol }, active: [] }));
      expect(errors(await open({ transport, host: at.vip }))).toEqual(["ECONNREFUSED"]);
      expect(errors(await open({ transport, host: at.vip, port: 81 }))).toEqual(["ECONNREFUSED"]);
    });
  });

  /** How many of the others' new flows go elsewhere while, or once, the first of ten backends is gone: 0 to 1. */
  async function movedOfOthers(after: Balanced, tableSize = 1021): Promise<number> {
    const backends = members(V4);
    const pool = { ...maglev, protocol: "UDP", maglev: { ...maglev.maglev, tableSize } } as const;
    const again = (): Promise<FlowResult[]> => open({ transport: "udp", count: FLOWS, firstPort: 20_000 });
    await load(fragment({ backends, listener: { protocol: "UDP" }, pool }));
    const before = await again();
    await load(fragment({ listener: { protocol: "UDP" }, pool, ...after }));
    bed.balancer.exec("conntrack", "-F");
    const now = await again();
    expect([...errors(before), ...errors(now)]).toEqual([]);
    expect(tally(now)[V4.backends[0]!]).toBeUndefined();
    const others = before.flatMap(({ backend }, at) => (backend === V4.backends[0] ? [] : [at]));
    return others.filter((at) => now[at]?.backend !== before[at]?.backend).length / others.length;
  }

  test("a backend that is down takes its own flows along, and no other", async () => {
    expect(await movedOfOthers({ active: members(V4).slice(1) })).toBe(0);
  });

  test("one that is removed takes its own flows along, and hardly any other where the table is large", async () => {
    expect(await movedOfOthers({ backends: members(V4).slice(1) }, 16_381)).toBeLessThanOrEqual(0.015);
  });

  test("a backend that goes takes no connection along that stands", async () => {
    const backends = members(V4);
    await load(fragment({ backends, pool: maglev }));
    const before = await open({ count: 200, hold: true });
    await load(fragment({ backends, active: backends.slice(1), pool: maglev }));
    const outcomes = (await client.echoHeld()).map(({ outcome }) => outcome);
    expect(new Set(outcomes)).toEqual(new Set(["ok"]));
    expect(tally(before)[V4.backends[0]!]).toBeGreaterThan(0);
  });

  test("new_connections_per_s_per_source: what comes above it is refused", async () => {
    await load(fragment({ listener: { newConnectionsPerSPerSource: 1 } }));
    const results = await open({ count: 100 });
    expect(errors(results).length).toBeGreaterThan(0);
    expect(errors(results).length).toBeLessThan(100);
  });

  test("listeners of user space are let through, everything else on the VIP is not", async () => {
    const host = await bed.balancer.agent();
    await host.serve([V4.vip], 80);
    await host.serve([V4.vip], 22);
    await load(fragment({ inKernel: false }));
    expect((await open())[0]?.backend).toBe(V4.vip);
    expect(errors(await open({ port: 22 }))).toEqual(["ECONNREFUSED"]);
    expect(errors(await open({ transport: "udp", port: 22 }))).toEqual(["ECONNREFUSED"]);
  });

  test("the host is no router for anybody else", async () => {
    await load(fragment({}));
    expect(() => bed.client.exec("ping", "-c1", "-W1", V4.backends[0]!)).toThrow("ping");
  });
});
