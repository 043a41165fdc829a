import { buildTable, FlowHash } from "@fiberlb/maglev";
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from "@jest/globals";

import { NftablesDriver } from "../../../../src/data/l4/nftables/driver.ts";
import { loadBalancerFragment } from "../../../../src/data/l4/nftables/ruleset.ts";
import type { MaglevTableUnit, PoolUnit } from "../../../../src/snapshot/snapshot.ts";
import { backendUnit, listenerUnit, poolUnit, unit } from "../../units.ts";
import type { FlowResult } from "./agent-protocol.ts";
import { DSR_V4, DSR_V6, type DsrAddresses, DsrTestbed } from "./dsr-testbed.ts";
import { type Agent, whyNoKernel } from "./testbed.ts";

jest.setTimeout(120_000);

const PORT = 80;
/** All of them in the nightly run: FIBERLB_FLOWS=10000. */
const FLOWS = Number(process.env["FIBERLB_FLOWS"] ?? 300);
const MIB = 1_048_576;
const SLOTS = 1021;
const SEED = 0xdeadbeef;
const why = whyNoKernel();

// What two balancers do with direct server return is in dsr.test.ts.
(why ? describe.skip : describe)(`two balancers that translate${why ? ` (skipped: ${why})` : ""}`, () => {
  let bed: DsrTestbed;
  let client: Agent;
  let drivers: readonly NftablesDriver[];
  beforeAll(async () => {
    bed = new DsrTestbed();
    for (const balancer of bed.balancers) {
      balancer.exec("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");
      balancer.ip("addr", "add", `${DSR_V4.vip}/32`, "dev", "lo");
      balancer.ip("-6", "addr", "add", `${DSR_V6.vip}/128`, "dev", "lo", "nodad");
    }
    client = await bed.client.agent();
    await Promise.all(
      bed.backends.map(async (backend, index) => {
        const agent = await backend.agent();
        await agent.serve([DSR_V4.backends[index]!, DSR_V6.backends[index]!], PORT, String(index));
      }),
    );
  });
  afterAll(() => bed.remove());
  beforeEach(() => {
    for (const balancer of bed.balancers) balancer.exec("nft", "flush", "ruleset");
    drivers = bed.balancers.map(({ run }) => new NftablesDriver({ run }));
    bed.routeTo(0);
  });

  interface Balanced {
    readonly at: DsrAddresses;
    readonly protocol?: "TCP" | "UDP";
  }

  const members = ({ backends }: DsrAddresses) =>
    backends.map((address, index) => backendUnit(String(index), { address, port: PORT }));

  function tableOf(pool: PoolUnit): MaglevTableUnit {
    const { backends, slots } = buildTable(
      pool.backends.map(({ id }) => ({ name: id })),
      { size: SLOTS, allocate: (bytes) => new SharedArrayBuffer(bytes) },
    );
    return { poolId: pool.id, backendIds: backends.map(({ name }) => name), slots: slots as MaglevTableUnit["slots"] };
  }

  /** Loads the same into both. */
  async function load({ at, protocol = "TCP" }: Balanced): Promise<void> {
    const pool = poolUnit(members(at), {
      protocol,
      algorithm: "MAGLEV",
      maglev: { tableSize: SLOTS, hashKey: "FIVE_TUPLE", seed: SEED },
    });
    const fragment = loadBalancerFragment({
      unit: unit({ vip: at.vip, listeners: [listenerUnit({ protocol, port: PORT })], pools: [pool] }),
      inKernel: new Set(["listener"]),
      hasIdleTimeouts: false,
      isGuarded: false,
      stateOf: (one) => ({ pool: one, active: one.backends, table: tableOf(one) }),
    });
    for (const [index, driver] of drivers.entries()) {
      const base = { node: `lb-${index}`, forwards: true, guardRouting: { ipv4: false, ipv6: false } };
      expect(await driver.apply({ base, fragments: new Map([["lb", fragment]]) })).toEqual({ refused: new Map() });
    }
  }

  function expected(at: DsrAddresses, flows: readonly FlowResult[]): (string | undefined)[] {
    const table = buildTable(
      members(at).map(({ id }) => ({ name: id })),
      { size: SLOTS },
    );
    const hash = new FlowHash({ seed: SEED });
    return flows.map(({ source }) => {
      const flow = { sourceAddress: at.client, sourcePort: source.port };
      return table.backendFor(hash.fiveTuple({ ...flow, destinationAddress: at.vip, destinationPort: PORT }))?.name;
    });
  }

  test.each([
    ["IPv4", DSR_V4, "tcp"],
    ["IPv4", DSR_V4, "udp"],
    ["IPv6", DSR_V6, "tcp"],
    ["IPv6", DSR_V6, "udp"],
  ] as const)("%s, %#: both choose the same backend for every flow", async (_family, at, transport) => {
    await load({ at, protocol: transport === "tcp" ? "TCP" : "UDP" });
    const flow = { transport, host: at.vip, port: PORT, count: FLOWS };
    for (const balancer of [0, 1] as const) {
      bed.routeTo(balancer);
      // The same source ports for both, so that the very same flows are compared.
      const flows = await client.open({ ...flow, ...(transport === "udp" && { firstPort: 20_000 }) });
      expect(flows.flatMap(({ error }) => error ?? [])).toEqual([]);
      expect(flows.map(({ backend }) => backend)).toEqual(expected(at, flows));
    }
  });

  // Whether the kernel takes up connections in their middle: then the backend resets it, otherwise the balancer.
  test.each([1, 0])(
    "tcp_loose=%s: a transfer that moves to the other is reset; the next one is served",
    async (loose) => {
      for (const balancer of bed.balancers) {
        balancer.exec("sysctl", "-qw", `net.netfilter.nf_conntrack_tcp_loose=${loose}`);
      }
      await load({ at: DSR_V4 });
      const forwarded = async (): Promise<number> =>
        (await drivers[0]!.elements("set", "traffic.in4")).reduce((sum, { bytes }) => sum + bytes, 0);
      const done = client.transfer({ host: DSR_V4.vip, port: PORT, bytes: 512 * MIB });
      while ((await forwarded()) < 4 * MIB);
      bed.routeTo(1);
      expect((await done).outcome).toBe("ECONNRESET");
      const again = client.transfer({ host: DSR_V4.vip, port: PORT, bytes: MIB });
      expect((await again).outcome).toBe("ok");
    },
  );
});
