import { spawnSync } from "node:child_process";

import { buildTable, FlowHash, tableFromSlots } from "@fiberlb/maglev";
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from "@jest/globals";

import { TableDriver } from "../../../../src/data/l4/nftables/driver.ts";
import type { Fragment } from "../../../../src/data/l4/nftables/fragment.ts";
import { NETDEV_PLAN, type NetdevBaseOptions } from "../../../../src/data/l4/nftables/netdev-hooks.ts";
import { dsrFragment } from "../../../../src/data/l4/nftables/netdev-ruleset.ts";
import { probeDirectReturn } from "../../../../src/doctor/direct-return-probe.ts";
import type { BackendUnit, ListenerUnit, MaglevTableUnit, PoolUnit } from "../../../../src/snapshot/snapshot.ts";
import { backendUnit, listenerUnit, poolUnit, unit } from "../../units.ts";
import type { FlowResult } from "./agent-protocol.ts";
import { DSR_DEVICE, DSR_V4, DSR_V6, type DsrAddresses, DsrTestbed } from "./dsr-testbed.ts";
import { type Agent, whyNoKernel } from "./testbed.ts";

jest.setTimeout(120_000);

const PORT = 80;
/** All of them in the nightly run: FIBERLB_FLOWS=10000. */
const FLOWS = Number(process.env["FIBERLB_FLOWS"] ?? 500);
const MIB = 1_048_576;
const why = whyNoKernel();
const hasArping = spawnSync("arping", ["-V"]).error === undefined;

(why ? describe.skip : describe)(`direct server return${why ? ` (skipped: ${why})` : ""}`, () => {
  let bed: DsrTestbed;
  let client: Agent;
  let drivers: readonly TableDriver<NetdevBaseOptions>[];
  beforeAll(async () => {
    bed = new DsrTestbed();
    client = await bed.client.agent();
    await Promise.all(
      bed.backends.map(async (backend, index) => {
        const agent = await backend.agent();
        await agent.serve([DSR_V4.vip, DSR_V6.vip], PORT, String(index));
      }),
    );
  });
  afterAll(() => bed.remove());
  beforeEach(() => {
    for (const balancer of bed.balancers) balancer.exec("nft", "flush", "ruleset");
    drivers = bed.balancers.map(({ run }) => new TableDriver({ run, plan: NETDEV_PLAN }));
    bed.routeTo(0);
  });

  interface Balanced {
    readonly at?: DsrAddresses;
    readonly listener?: Partial<ListenerUnit>;
    readonly pool?: Partial<PoolUnit>;
    /** Positions of the backends that get new flows; default: all. */
    readonly active?: readonly number[];
    /** Of those that keep the flows that they have; default: the same. */
    readonly members?: readonly number[];
  }

  const ALL = [0, 1, 2];
  const maglev = { algorithm: "MAGLEV", maglev: { tableSize: 1021, hashKey: "FIVE_TUPLE", seed: 0xdeadbeef } } as const;
  const backendsOf = (at: DsrAddresses): BackendUnit[] =>
    at.backends.map((address, index) => backendUnit(String(index), { address, port: PORT }));

  function fragment({ at = DSR_V4, listener, pool, active = ALL, members = active }: Balanced): Fragment {
    const backends = backendsOf(at);
    const chosen = active.map((index) => backends[index]!);
    return dsrFragment({
      unit: unit({
        vip: at.vip,
        listeners: [listenerUnit({ port: PORT, ...listener })],
        pools: [poolUnit(backends, { ...maglev, forwarding: "DSR", ...pool })],
      }),
      byDsr: new Set(["listener"]),
      stateOf: (one) => ({
        state: { pool: one, active: chosen, table: one.maglev && tableUnit(chosen, one.maglev.tableSize) },
        members: members.map((index) => at.backends[index]!),
      }),
      deviceOf: () => DSR_DEVICE,
    });
  }

  function tableUnit(active: readonly BackendUnit[], size: number): MaglevTableUnit {
    const made = buildTable(
      active.map(({ id, weight }) => ({ name: id, weight })),
      { size, allocate: (bytes) => new SharedArrayBuffer(bytes) },
    );
    const slots = made.slots as Uint16Array<SharedArrayBuffer>;
    return { poolId: "pool", backendIds: made.backends.map(({ name }) => name), slots };
  }

  /** What `serve` of the backends says who they are. */
  function expectedBackend(at: DsrAddresses, source: FlowResult["source"]): string | undefined {
    const { slots, backendIds } = tableUnit(backendsOf(at), 1021);
    const table = tableFromSlots(
      slots,
      backendIds.map((name) => ({ name, weight: 1 })),
    );
    const hash = new FlowHash({ seed: maglev.maglev.seed }).fiveTuple({
      sourceAddress: at.client,
      sourcePort: source.port,
      destinationAddress: at.vip,
      destinationPort: PORT,
    });
    return table.backends[table.lookup(hash)]?.name;
  }

  async function load(balanced: Balanced, balancers: readonly number[] = [0]): Promise<void> {
    for (const index of balancers) {
      const report = await drivers[index]!.apply({
        base: { node: `lb-${index}`, devices: [DSR_DEVICE] },
        fragments: new Map([["lb", fragment(balanced)]]),
      });
      expect(report).toEqual({ refused: new Map() });
    }
  }

  const open = (flow: Partial<Parameters<Agent["open"]>[0]> = {}): Promise<FlowResult[]> =>
    client.open({ transport: "tcp", host: DSR_V4.vip, port: PORT, count: 1, ...flow });
  const errors = (results: readonly FlowResult[]): string[] => results.flatMap(({ error }) => error ?? []);
  const chosen = (results: readonly FlowResult[]): Set<string> =>
    new Set(results.flatMap(({ backend }) => backend ?? []));

  /** Bytes of IPv4 that a balancer sent on to backends. */
  async function forwarded(balancer: 0 | 1): Promise<number> {
    const counted = await drivers[balancer]!.elements("set", "traffic.in4");
    return counted.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Bytes that went out of, or came into, a host. */
  const deviceBytes = (balancer: 0 | 1, way: "rx" | "tx"): number =>
    Number(bed.balancers[balancer].exec("cat", `/sys/class/net/${DSR_DEVICE}/statistics/${way}_bytes`));

  describe.each([
    ["IPv4", DSR_V4, "tcp"],
    ["IPv4", DSR_V4, "udp"],
    ["IPv6", DSR_V6, "tcp"],
    ["IPv6", DSR_V6, "udp"],
  ] as const)("%s", (_family, at, transport) => {
    const protocol = transport === "tcp" ? "TCP" : "UDP";

    test(`${transport}: Maglev's pick is the library's for every flow, and backends see the client`, async () => {
      await load({ at, listener: { protocol }, pool: { protocol } });
      const flows = await open({ transport, host: at.vip, count: FLOWS });
      expect(errors(flows)).toEqual([]);
      expect(flows.map(({ backend }) => backend)).toEqual(flows.map(({ source }) => expectedBackend(at, source)));
      expect(new Set(flows.map(({ seen }) => seen))).toEqual(new Set([at.client]));
    });

    test(`${transport}: without a backend: refused at once`, async () => {
      await load({ at, listener: { protocol }, pool: { protocol }, active: [] });
      expect(errors(await open({ transport, host: at.vip }))).toEqual(["ECONNREFUSED"]);
    });

    test(`${transport}: two balancers choose the same backend`, async () => {
      await load({ at, listener: { protocol }, pool: { protocol } }, [0, 1]);
      bed.routeTo(1);
      const flows = await open({ transport, host: at.vip, count: FLOWS });
      expect(flows.map(({ backend }) => backend)).toEqual(flows.map(({ source }) => expectedBackend(at, source)));
    });
  });

  test("only requests pass the balancer", async () => {
    await load({});
    const [received, sent] = [deviceBytes(0, "rx"), deviceBytes(0, "tx")];
    expect((await client.transfer({ host: DSR_V4.vip, port: PORT, bytes: 8 * MIB })).outcome).toBe("ok");
    expect(await forwarded(0)).toBeGreaterThan(8 * MIB);
    // Echoes, another 8 MiB, go from backend to client.
    expect(deviceBytes(0, "rx") - received).toBeLessThan(12 * MIB);
    expect(deviceBytes(0, "tx") - sent).toBeLessThan(12 * MIB);
  });

  test("a transfer survives the move from one balancer to the other", async () => {
    await load({}, [0, 1]);
    const done = client.transfer({ host: DSR_V4.vip, port: PORT, bytes: 128 * MIB });
    while ((await forwarded(0)) < 4 * MIB);
    bed.routeTo(1);
    expect((await done).outcome).toBe("ok");
    expect(await forwarded(0)).toBeLessThan(128 * MIB);
    expect(await forwarded(1)).toBeGreaterThan(MIB);
  });

  test("a backend that is down loses its flows, those of the others stay where they are", async () => {
    await load({});
    const held = await open({ count: 60, hold: true });
    expect(chosen(held)).toEqual(new Set(["0", "1", "2"]));
    await load({ active: [1, 2] });
    const outcomes = await client.echoHeld();
    const lost = outcomes.filter(({ backend }) => backend === "0").map(({ outcome }) => outcome);
    const stayed = outcomes.filter(({ backend }) => backend !== "0").map(({ outcome }) => outcome);
    expect(new Set(lost)).toEqual(new Set(["ECONNRESET"]));
    expect(new Set(stayed)).toEqual(new Set(["ok"]));
    expect(chosen(await open({ count: 60 }))).toEqual(new Set(["1", "2"]));
  });

  test("a backend that drains keeps its flows and gets no new ones; one that comes takes none away", async () => {
    await load({ active: [0] });
    const held = await open({ count: 40, hold: true });
    expect(chosen(held)).toEqual(new Set(["0"]));
    await load({});
    await load({ active: [1, 2], members: ALL });
    const outcomes = (await client.echoHeld()).filter(({ outcome }) => outcome !== "gone");
    expect(outcomes.slice(-40)).toEqual(Array.from({ length: 40 }, () => ({ backend: "0", outcome: "ok" })));
    expect(chosen(await open({ count: 60 }))).toEqual(new Set(["1", "2"]));
  });

  test("flows are remembered over a restart of the driver", async () => {
    await load({ active: [0] });
    const held = await open({ count: 10, hold: true });
    drivers = [new TableDriver({ run: bed.balancers[0].run, plan: NETDEV_PLAN }), ...drivers.slice(1)];
    await load({ active: [1, 2], members: ALL });
    const outcomes = (await client.echoHeld()).slice(-held.length);
    expect(new Set(outcomes.map(({ outcome }) => outcome))).toEqual(new Set(["ok"]));
  });

  test("clients outside of allowed_cidrs are refused, and counted", async () => {
    await load({ listener: { allowedCidrs: ["192.0.2.0/24"] } });
    expect(errors(await open())).toEqual(["ECONNREFUSED"]);
    const refused = await drivers[0]!.elements("set", "refused.acl4");
    expect(refused.map(({ packets }) => packets)).toEqual([1]);
  });

  describe("fiberlb doctor", () => {
    const networks = [
      { interface: DSR_DEVICE, cidr: "10.2.0.2/24" },
      { interface: DSR_DEVICE, cidr: "fd02::2/64" },
    ];

    test("sees backends on their link, and nobody who answers ARP for a VIP", async () => {
      await load({});
      await open({ count: 30 });
      const seen = await probeDirectReturn(networks, bed.balancers[0].run);
      const backends = DSR_V4.backends.map((address) => ({ address, interface: DSR_DEVICE }));
      expect(seen).toMatchObject({ backends, ...(hasArping && { claimed: [] }) });
      expect(seen!.backends.every(({ neighbour }) => ["reachable", "stale"].includes(neighbour))).toBe(true);
    });

    (hasArping ? describe : describe.skip)("with arping", () => {
      test("sees a backend that answers ARP for a VIP", async () => {
        await load({});
        const careless = bed.backends[1]!;
        careless.exec("sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=0");
        const seen = await probeDirectReturn(networks, bed.balancers[0].run);
        careless.exec("sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=1");
        const by = careless.exec("cat", `/sys/class/net/${DSR_DEVICE}/address`).trim();
        expect(seen?.claimed).toEqual([{ vip: DSR_V4.vip, interface: DSR_DEVICE, by }]);
      });
    });

    test("sees nothing where there is no such table", async () => {
      expect(await probeDirectReturn(networks, bed.balancers[1].run)).toBeUndefined();
    });
  });

  test.each(["IP_HASH", "ROUND_ROBIN"] as const)("%s: a client stays with its backend", async (algorithm) => {
    const persistence = { sourceIpPersistence: true, maglev: { ...maglev.maglev, hashKey: "SOURCE_IP" } } as const;
    await load({ pool: { maglev: undefined as never, algorithm, ...(algorithm === "ROUND_ROBIN" && persistence) } });
    expect(chosen(await open({ count: 20 })).size).toBe(1);
  });
});
