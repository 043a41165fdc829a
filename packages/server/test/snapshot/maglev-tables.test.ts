import { buildTable } from "@fiberlb/maglev";
import { beforeEach, describe, expect, it } from "@jest/globals";

import { MaglevTables } from "../../src/snapshot/maglev-tables.ts";
import type { BackendUnit, MaglevTableUnit, PoolUnit } from "../../src/snapshot/snapshot.ts";
import { backendUnit, poolUnit, snapshot, unit } from "../data/units.ts";

const SIZE = 1021;

let made: MaglevTableUnit[];
let tables: MaglevTables;

beforeEach(() => {
  made = [];
  tables = new MaglevTables({ onTable: (table) => made.push(table) });
});

function pool(backends: readonly BackendUnit[], part: Partial<PoolUnit> = {}): PoolUnit {
  return poolUnit(backends, {
    algorithm: "MAGLEV",
    maglev: { tableSize: SIZE, hashKey: "FIVE_TUPLE", seed: 1 },
    ...part,
  });
}

const some = (ids: string, part: Partial<BackendUnit> = {}): BackendUnit[] =>
  ids.split("").map((id) => backendUnit(id, part));
const apply = (revision: number, ...pools: PoolUnit[]): void => tables.apply(snapshot(revision, [unit({ pools })]));
const members = (): string[] => made.map(({ backendIds }) => backendIds.join(""));

/** The slots that the library gives these backends. */
const expected = (backends: readonly BackendUnit[], size = SIZE): number[] => [
  ...buildTable(
    backends.map(({ id, weight }) => ({ name: id, weight })),
    { size },
  ).slots,
];

describe("Maglev tables", () => {
  it("are the library's, in shared memory", () => {
    const backends = [backendUnit("a", { weight: 2 }), backendUnit("b"), backendUnit("c")];
    apply(1, pool(backends));
    expect(members()).toEqual(["abc"]);
    expect([...(made[0]?.slots ?? [])]).toEqual(expected(backends));
    expect(made[0]?.slots.buffer).toBeInstanceOf(SharedArrayBuffer);
  });

  it("are built for pools that need one, and no others", () => {
    apply(1, poolUnit(some("ab"), { id: "plain" }), pool(some("cd"), { id: "needs" }));
    expect(made.map(({ poolId }) => poolId)).toEqual(["needs"]);
  });

  it("hold all that share a tier, whether they can serve now or not, but nobody who is leaving", () => {
    const { address: _, ...unresolved } = backendUnit("d");
    const out = [backendUnit("b", { enabled: false }), backendUnit("c", { weight: 0 }), unresolved];
    apply(1, pool([backendUnit("a"), ...out, backendUnit("e", { backup: true })]));
    expect(members()).toEqual(["abd"]);
  });

  it("are built anew only when members or weights change", () => {
    apply(1, pool(some("ab")));
    apply(2, pool(some("ab"), { drainTimeoutMs: 1 }));
    expect(members()).toEqual(["ab"]);
    apply(3, pool(some("abc")));
    apply(4, pool(some("abc", { weight: 1, port: 7 })));
    apply(5, pool([backendUnit("a", { weight: 3 }), ...some("bc")]));
    expect(members()).toEqual(["ab", "abc", "abc"]);
    expect([...(made[2]?.slots ?? [])]).toEqual(expected([backendUnit("a", { weight: 3 }), ...some("bc")]));
  });

  it("are not touched by verdicts", async () => {
    apply(1, pool(some("abcd", { monitored: true })));
    for (const id of "abcd") tables.setHealth(id, "ONLINE");
    tables.setHealth("b", "OFFLINE");
    tables.setHealth("d", "OFFLINE");
    await Promise.resolve();
    expect(members()).toEqual(["abcd"]);
  });

  it("turn to the backups when the last primary goes, and back", async () => {
    const backups = some("xy", { monitored: true, backup: true });
    apply(1, pool([...some("ab", { monitored: true }), ...backups]));
    for (const id of "abxy") tables.setHealth(id, "ONLINE");
    for (const id of "ab") tables.setHealth(id, "OFFLINE");
    await Promise.resolve();
    expect(members()).toEqual(["ab", "xy"]);
    expect([...(made[1]?.slots ?? [])]).toEqual(expected(some("xy")));
    tables.setHealth("b", "ONLINE");
    await Promise.resolve();
    expect(members()).toEqual(["ab", "xy", "ab"]);
  });

  it("know verdicts that came before their backend", () => {
    tables.setHealth("x", "ONLINE");
    tables.setHealth("a", "OFFLINE");
    apply(1, pool([...some("a", { monitored: true }), ...some("x", { monitored: true, backup: true })]));
    expect(members()).toEqual(["x"]);
  });

  it("are empty when nobody can serve", () => {
    apply(1, pool([]));
    expect(made).toEqual([{ poolId: "pool", backendIds: [], slots: new Uint16Array(0) }]);
  });

  it("change size with the pool's", () => {
    apply(1, pool(some("ab")));
    apply(2, pool(some("ab"), { maglev: { tableSize: 16_381, hashKey: "FIVE_TUPLE", seed: 1 } }));
    expect(made.map(({ slots }) => slots.length)).toEqual([SIZE, 16_381]);
    expect([...(made[1]?.slots ?? [])]).toEqual(expected(some("ab"), 16_381));
  });

  it("of a pool that goes are forgotten, and so is the health of its backends", () => {
    const both = [...some("a", { monitored: true }), ...some("x", { monitored: true, backup: true })];
    apply(1, pool(both));
    tables.setHealth("x", "ONLINE");
    tables.setHealth("a", "OFFLINE");
    apply(2);
    apply(3, pool(both));
    expect(members()).toEqual(["a", "a"]);
  });

  it("are built no more after a stop", async () => {
    apply(1, pool([...some("a", { monitored: true }), ...some("x", { monitored: true, backup: true })]));
    tables.setHealth("x", "ONLINE");
    tables.setHealth("a", "OFFLINE");
    tables.stop();
    await Promise.resolve();
    expect(made).toHaveLength(1);
  });
});
