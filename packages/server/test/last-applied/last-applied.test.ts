import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Certificate, VipPool } from "@fiberlb/types";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";

import { decodeTree, encodeTree } from "../../src/last-applied/format.ts";
import { LastApplied } from "../../src/last-applied/last-applied.ts";
import { SavedFiles } from "../../src/last-applied/saved-files.ts";
import { createLog } from "../../src/log.ts";
import type { UnitSource } from "../../src/snapshot/compile.ts";
import { AUTHORITY } from "../control/certificates.ts";
import { FakeClock } from "../fake-clock.ts";
import { entity } from "../snapshot/entities.ts";

let parent: string;
let folder: string;
let clock: FakeClock;
let log: { readonly event: string; readonly reason?: string }[];
let keepers: LastApplied[];
let names: (readonly [string, string])[];
let vipPools: VipPool[];
let certificates: Map<string, Certificate>;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "fiberlb-keep-"));
  folder = join(parent, "last-applied");
  clock = new FakeClock();
  [log, keepers, names, vipPools, certificates] = [[], [], [], [], new Map()];
});
afterEach(async () => {
  for (const keeper of keepers) await keeper.stop();
  rmSync(parent, { recursive: true });
});

function keep(): LastApplied {
  const write = (line: string): void => void log.push(JSON.parse(line) as (typeof log)[number]);
  const keeper = new LastApplied({
    files: new SavedFiles(folder),
    clock,
    log: createLog({ level: "debug", format: "json", write }),
  });
  keeper.use({ node: () => ({ addresses: names, vipPools }), certificate: (id) => certificates.get(id) });
  keepers.push(keeper);
  return keeper;
}

function tree(name: string, hosts: readonly string[] = ["10.0.0.1"], certificateId?: string): UnitSource {
  const loadBalancer = entity("loadBalancer", { name, record: { vipAddress: "192.0.2.1", vipPool: "default" } });
  const pool = entity("pool", { loadBalancerId: loadBalancer.id });
  const common = { loadBalancerId: loadBalancer.id, defaultPoolId: pool.id };
  const listener = entity("listener", {
    ...common,
    ...(certificateId === undefined
      ? { protocol: "HTTP", port: 80 }
      : { protocol: "HTTPS", port: 443, certificateIds: [certificateId] }),
  });
  const policy = entity("l7Policy", { listenerId: listener.id, action: "REJECT", position: 1 });
  return {
    loadBalancer,
    listeners: [listener],
    pools: [pool],
    backends: hosts.map((address) => entity("backend", { poolId: pool.id, address, port: 80 })),
    healthChecks: [entity("healthCheck", { poolId: pool.id, type: "TCP" })],
    l7Policies: [policy],
    l7Rules: [entity("l7Rule", { l7PolicyId: policy.id, type: "PATH", compareType: "STARTS_WITH", value: "/x" })],
  };
}

/** As the publisher hands over: these are all, and the first ones were touched. */
function note(
  keeper: LastApplied,
  all: readonly UnitSource[],
  touched: readonly string[] = all.map(idOf),
  revision = 1,
) {
  const trees = new Map<string, UnitSource>(all.map((one) => [one.loadBalancer.id, one]));
  keeper.note({ snapshot: { revision, units: new Map() }, trees, touched: new Set<string>(touched) });
}

const idOf = ({ loadBalancer }: UnitSource): string => loadBalancer.id;
const kept = (): string[] =>
  readdirSync(folder)
    .map((file) => file.split(".")[0]!)
    .filter((name) => name !== "node")
    .toSorted();

describe("a load balancer's file", () => {
  test("holds every entity as it was", () => {
    const source = tree("web", ["10.0.0.1", "db.test"]);
    expect(decodeTree(encodeTree({ tree: source, certificates: [] }))).toEqual({ tree: source, certificates: [] });
  });

  test.each([
    [
      "of a later release",
      '{"what":"load balancer as applied last","format":2}\n',
      /it has format 2, this release reads 1/,
    ],
    ["of something else", "{}\n", /it is no load balancer/],
    ["that is no JSON", "x\n", /JSON/],
    ["without a load balancer", '{"what":"load balancer as applied last","format":1}\n', /no load balancer is in it/],
  ])("%s is refused", (_, text, reason) => {
    expect(() => decodeTree(Buffer.from(text))).toThrow(reason);
  });
});

describe("what was applied", () => {
  test("is there for the next process, with certificates and names", async () => {
    const certificate = entity("certificate", {
      type: "CLIENT_CA",
      certificatePem: AUTHORITY.pem,
      record: {
        subject: "CN=web",
        sans: [],
        notBefore: "2026-01-01T00:00:00.000Z",
        notAfter: "2027-01-01T00:00:00.000Z",
        fingerprintSha256: "ab",
        sealedPrivateKey: "1.k.sealed",
      },
    });
    certificates.set(certificate.id, certificate);
    names = [["db.test", "10.0.0.9"]];
    vipPools = [entity("vipPool", { name: "edge", cidrs: ["192.0.2.0/24"] })];
    const [web, shop] = [tree("web", ["db.test"], certificate.id), tree("shop")];
    const keeper = keep();
    note(keeper, [web, shop]);
    await keeper.stop();
    const saved = (await keep().load())!;
    expect(new Set(saved.trees)).toEqual(new Set([web, shop]));
    expect(saved.certificates.get(certificate.id)).toMatchObject({ sealedPrivateKey: "1.k.sealed" });
    expect(saved.node).toEqual({ addresses: names, vipPools });
    expect(saved.savedAtMs).toBeGreaterThan(0);
  });

  test("is written a while later, once for many changes, and only what changed", async () => {
    const [a, b] = [tree("a"), tree("b")];
    const keeper = keep();
    note(keeper, [a, b]);
    await keeper.stop();
    const before = readdirSync(folder);
    const next = keep();
    let changed = a;
    for (let step = 0; step < 100; step++) {
      changed = { ...a, loadBalancer: { ...a.loadBalancer, description: `step ${step}` } };
      note(next, [changed, b], [idOf(a)], 2 + step);
    }
    expect(readdirSync(folder)).toEqual(before);
    clock.advance(1000);
    await next.stop();
    const after = readdirSync(folder);
    expect(before.filter((file) => !after.includes(file))).toHaveLength(1);
    expect(after).toHaveLength(before.length);
    expect((await keep().load())?.trees).toContainEqual(changed);
  });

  test("loses what has gone, also what went while this node was not there", async () => {
    const [a, b, c] = [tree("a"), tree("b"), tree("c")];
    const first = keep();
    note(first, [a, b, c]);
    note(first, [b, c], [idOf(a)]);
    await first.stop();
    expect(kept()).toEqual([idOf(b), idOf(c)].toSorted());
    const second = keep();
    note(second, [c]);
    await second.stop();
    expect(kept()).toEqual([idOf(c)]);
  });

  test("loses nothing by what was not read from the store", async () => {
    const [a, b] = [tree("a"), tree("b")];
    const first = keep();
    note(first, [a, b]);
    await first.stop();
    const second = keep();
    note(second, [a], [idOf(a)], 0);
    await second.stop();
    expect(kept()).toHaveLength(2);
  });
});

test("a disk that takes nothing is told once, and tried again", async () => {
  writeFileSync(folder, "in the way");
  const keeper = keep();
  note(keeper, [tree("a")]);
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  const complaints = (): number => log.filter(({ event }) => event.startsWith("what was applied last cannot")).length;
  clock.advance(1000);
  while (complaints() === 0) await settle();
  clock.advance(30_000);
  await settle();
  expect(complaints()).toBe(1);
  rmSync(folder);
  mkdirSync(folder);
  await keeper.stop();
  expect(kept()).toHaveLength(1);
  expect(log.at(-1)?.event).toBe("what was applied last is kept on disk again");
});
