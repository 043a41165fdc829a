import { buildTable } from "@fiberlb/maglev";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import fc from "fast-check";

import { type DesiredTable, NftablesDriver } from "../../../../src/data/l4/nftables/driver.ts";
import { idleKey } from "../../../../src/data/l4/nftables/idle-timeouts.ts";
import { type FragmentSource, loadBalancerFragment, timeoutsOf } from "../../../../src/data/l4/nftables/ruleset.ts";
import type { Algorithm, MaglevTableUnit, PoolUnit } from "../../../../src/snapshot/snapshot.ts";
import { backendUnit, listenerUnit, poolUnit, unit } from "../../units.ts";
import { listing } from "./listing.ts";
import { Namespace, whyNoKernel } from "./testbed.ts";

jest.setTimeout(3_600_000);

/** Sequences of changes; 1,000 of them with FIBERLB_SEQUENCES=1000. */
const SEQUENCES = Number(process.env["FIBERLB_SEQUENCES"] ?? 8);

interface Shape {
  readonly algorithm: Algorithm | "SOURCE_IP";
  readonly udp: boolean;
  readonly forwarding: boolean;
  /** Weight of each backend; 0 = it is leaving. */
  readonly weights: readonly number[];
  /** Whether the backend of that place was found down. */
  readonly down: readonly boolean[];
  readonly listeners: readonly {
    readonly inKernel: boolean;
    readonly acl: readonly string[];
    readonly limit: number;
    readonly rate: number;
    readonly idleS: number;
  }[];
}

const shape: fc.Arbitrary<Shape> = fc.record({
  algorithm: fc.constantFrom("ROUND_ROBIN", "WEIGHTED_ROUND_ROBIN", "IP_HASH", "MAGLEV", "SOURCE_IP"),
  udp: fc.boolean(),
  forwarding: fc.boolean(),
  weights: fc.array(fc.nat(2), { maxLength: 4 }),
  down: fc.array(fc.boolean(), { maxLength: 4 }),
  listeners: fc.array(
    fc.record({
      inKernel: fc.boolean(),
      acl: fc.subarray(["10.0.0.0/8", "10.1.0.0/16", "192.0.2.0/25", "192.0.2.128/25"]),
      limit: fc.nat(2),
      rate: fc.nat(2),
      idleS: fc.nat(2),
    }),
    { maxLength: 3 },
  ),
});

interface State {
  readonly forwards: boolean;
  readonly guardRouting: { readonly ipv4: boolean; readonly ipv6: boolean };
  /** By load balancer; null: there is none. */
  readonly shapes: readonly (Shape | null)[];
}

const state: fc.Arbitrary<State> = fc.record({
  forwards: fc.constantFrom(true, true, true, false),
  guardRouting: fc.record({ ipv4: fc.boolean(), ipv6: fc.boolean() }),
  shapes: fc.array(fc.option(shape), { minLength: 3, maxLength: 3 }),
});

function desired({ forwards, guardRouting, shapes }: State): DesiredTable {
  const sources = shapes.flatMap((one, index) => (one === null ? [] : [sourceOf(one, { index, forwards })]));
  const timeouts = sources.flatMap((source) => timeoutsOf(source));
  const idleTimeouts = [...new Map(timeouts.map((timeout) => [idleKey(timeout), timeout])).values()];
  return {
    base: { node: "lb-1", forwards, guardRouting, idleTimeouts },
    fragments: new Map(sources.map((source) => [source.unit.vip, loadBalancerFragment(source)])),
  };
}

function sourceOf(
  of: Shape,
  { index, forwards }: { readonly index: number; readonly forwards: boolean },
): FragmentSource {
  const isIpv6 = index === 2;
  const protocol = of.udp ? "UDP" : "TCP";
  const pool = poolOf(of, index);
  const listeners = of.listeners.map(({ acl, limit, rate, idleS }, port) =>
    listenerUnit({
      id: `l${index}${port}`,
      protocol,
      port: 80 + port,
      defaultPoolId: pool.id,
      allowedCidrs: isIpv6 ? [] : acl,
      connectionLimit: limit,
      newConnectionsPerSPerSource: rate,
      clientIdleTimeoutMs: idleS * 1000,
    }),
  );
  const members = pool.backends.filter(({ weight }) => weight > 0);
  const active = pool.backends.filter(({ weight }, at) => weight > 0 && of.down[at] !== true);
  return {
    unit: unit({ vip: isIpv6 ? "2001:db8::1" : `203.0.113.${index}`, listeners, pools: [pool] }),
    inKernel: new Set(listeners.filter((_, at) => forwards && of.listeners[at]?.inKernel === true).map(({ id }) => id)),
    hasIdleTimeouts: true,
    isGuarded: index > 0,
    stateOf: (one) => ({ pool: one, active, table: tableOf(one, members) }),
  };
}

function poolOf({ algorithm, udp, forwarding, weights }: Shape, index: number): PoolUnit {
  const bySource = algorithm === "SOURCE_IP";
  const address = (at: number): string => (index === 2 ? `fd02::${at + 1}` : `10.2.${index}.${at + 1}`);
  const backends = weights.map((weight, at) => backendUnit(`b${index}${at}`, { address: address(at), weight }));
  return poolUnit(backends, {
    id: `p${index}`,
    protocol: udp ? "UDP" : "TCP",
    algorithm: bySource ? "ROUND_ROBIN" : algorithm,
    sourceIpPersistence: bySource,
    ...((bySource || algorithm === "MAGLEV") && { maglev: { tableSize: 1021, hashKey: "FIVE_TUPLE", seed: index } }),
    ...(forwarding && { forwarding: "NAT" }),
  });
}

function tableOf({ id, maglev }: PoolUnit, members: PoolUnit["backends"]): MaglevTableUnit | undefined {
  if (maglev === undefined) return undefined;
  if (members.length === 0) return { poolId: id, backendIds: [], slots: new Uint16Array(new SharedArrayBuffer(0)) };
  const { slots, backends } = buildTable(
    members.map(({ id: name, weight }) => ({ name, weight })),
    { size: maglev.tableSize, allocate: (bytes) => new SharedArrayBuffer(bytes) },
  );
  return { poolId: id, backendIds: backends.map(({ name }) => name), slots: slots as Uint16Array<SharedArrayBuffer> };
}

const why = whyNoKernel();
(why ? describe.skip : describe)(`the table after changes${why ? ` (skipped: ${why})` : ""}`, () => {
  let changed: Namespace;
  let fresh: Namespace;
  beforeAll(() => {
    [changed, fresh] = [new Namespace("changed"), new Namespace("fresh")];
  });
  afterAll(() => [changed, fresh].forEach((one) => one.remove()));

  const settled = async (driver: NftablesDriver, to: State): Promise<void> =>
    expect(await driver.apply(desired(to))).toEqual({ refused: new Map() });

  test("is the same as after a fresh load, by the same process and by the next one", async () => {
    const sequence = fc.tuple(fc.array(state, { minLength: 1, maxLength: 4 }), state, fc.boolean());
    await fc.assert(
      fc.asyncProperty(sequence, async ([steps, last, restart]) => {
        changed.exec("nft", "flush", "ruleset");
        fresh.exec("nft", "flush", "ruleset");
        const driver = new NftablesDriver({ run: changed.run, sliceElements: 2000 });
        for (const step of steps) await settled(driver, step);
        await settled(restart ? new NftablesDriver({ run: changed.run }) : driver, last);
        await settled(new NftablesDriver({ run: fresh.run }), last);
        expect(listing(changed)).toEqual(listing(fresh));
      }),
      { numRuns: SEQUENCES },
    );
  });
});
