import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import fc from "fast-check";

import { type DesiredTable, TableDriver } from "../../../../src/data/l4/nftables/driver.ts";
import type { Fragment } from "../../../../src/data/l4/nftables/fragment.ts";
import { NETDEV_PLAN, type NetdevBaseOptions } from "../../../../src/data/l4/nftables/netdev-hooks.ts";
import { dsrFragment } from "../../../../src/data/l4/nftables/netdev-ruleset.ts";
import { backendUnit, listenerUnit, poolUnit, unit } from "../../units.ts";
import { listing } from "./listing.ts";
import { Namespace, whyNoKernel } from "./testbed.ts";

jest.setTimeout(600_000);

/** Sequences of changes; 1,000 of them with FIBERLB_SEQUENCES=1000. */
const SEQUENCES = Number(process.env["FIBERLB_SEQUENCES"] ?? 8);
const DEVICES = ["lo", "one", "two"];

interface Shape {
  readonly udp: boolean;
  /** Of each backend: whether it gets new flows, may keep what it has, or neither. */
  readonly backends: readonly ("chosen" | "kept" | "none")[];
  readonly acl: readonly string[];
  readonly rate: number;
}

interface State {
  readonly devices: readonly string[];
  /** By load balancer, the last of IPv6; null: there is none. */
  readonly shapes: readonly (Shape | null)[];
}

const shape: fc.Arbitrary<Shape> = fc.record({
  udp: fc.boolean(),
  backends: fc.array(fc.constantFrom("chosen", "kept", "none"), { maxLength: 4 }),
  acl: fc.subarray(["10.0.0.0/8", "192.0.2.0/25"]),
  rate: fc.nat(2),
});
const state: fc.Arbitrary<State> = fc.record({
  devices: fc.subarray(DEVICES),
  shapes: fc.array(fc.option(shape), { minLength: 3, maxLength: 3 }),
});

function fragment({ udp, backends: roles, acl, rate }: Shape, index: number): Fragment {
  const isIpv6 = index === 2;
  const protocol = udp ? "UDP" : "TCP";
  const address = (at: number): string => (isIpv6 ? `fd02::${at + 1}` : `10.2.${index}.${at + 1}`);
  const backends = roles.map((_, at) => backendUnit(`b${index}${at}`, { address: address(at), port: 80 }));
  const listener = listenerUnit({
    id: `l${index}`,
    protocol,
    defaultPoolId: `p${index}`,
    allowedCidrs: isIpv6 ? [] : acl,
    newConnectionsPerSPerSource: rate,
  });
  const pool = poolUnit(backends, { id: `p${index}`, protocol, algorithm: "IP_HASH", forwarding: "DSR" });
  return dsrFragment({
    unit: unit({ vip: isIpv6 ? "2001:db8::1" : `203.0.113.${index}`, listeners: [listener], pools: [pool] }),
    byDsr: new Set([listener.id]),
    stateOf: (one) => ({
      state: { pool: one, active: backends.filter((_, at) => roles[at] === "chosen") },
      members: backends.flatMap(({ address: of = "" }, at) => (roles[at] === "none" ? [] : [of])),
    }),
    deviceOf: () => "lo",
  });
}

function desired({ devices, shapes }: State): DesiredTable<NetdevBaseOptions> {
  const entries = shapes.flatMap((one, index) => (one === null ? [] : [[`lb${index}`, fragment(one, index)] as const]));
  return { base: { node: "lb-1", devices }, fragments: new Map(entries) };
}

const why = whyNoKernel();
(why ? describe.skip : describe)(`the table of direct server return${why ? ` (skipped: ${why})` : ""}`, () => {
  let changed: Namespace;
  let fresh: Namespace;
  beforeAll(() => {
    [changed, fresh] = [new Namespace("changed"), new Namespace("fresh")];
    for (const one of [changed, fresh]) one.ip("link", "add", "one", "type", "veth", "peer", "name", "two");
  });
  afterAll(() => [changed, fresh].forEach((one) => one.remove()));

  const driverOf = ({ run }: Namespace): TableDriver<NetdevBaseOptions> => new TableDriver({ run, plan: NETDEV_PLAN });
  const settled = async (driver: TableDriver<NetdevBaseOptions>, to: State): Promise<void> =>
    expect(await driver.apply(desired(to))).toEqual({ refused: new Map() });

  test("is the same after changes as after a fresh load, by the same process and by the next one", async () => {
    const sequence = fc.tuple(fc.array(state, { minLength: 1, maxLength: 4 }), state, fc.boolean());
    await fc.assert(
      fc.asyncProperty(sequence, async ([steps, last, restart]) => {
        for (const one of [changed, fresh]) one.exec("nft", "flush", "ruleset");
        const driver = driverOf(changed);
        for (const step of steps) await settled(driver, step);
        await settled(restart ? driverOf(changed) : driver, last);
        await settled(driverOf(fresh), last);
        expect(listing(changed)).toEqual(listing(fresh));
      }),
      { numRuns: SEQUENCES },
    );
  });
});
