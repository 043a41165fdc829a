import { buildTable } from "@fiberlb/maglev";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import { backendMarks, type DsrPoolFacts, dsrPoolState } from "../../../../src/data/l4/nftables/dsr-pool.ts";
import type { MaglevTableUnit, PoolUnit } from "../../../../src/snapshot/snapshot.ts";
import { backendUnit, poolUnit } from "../../units.ts";

const SIZE = 251;
const backends = [1, 2, 3].map((at) => backendUnit(`b${at}`, { address: `10.2.0.${at}` }));
const pool = poolUnit(backends, {
  algorithm: "MAGLEV",
  maglev: { tableSize: SIZE, hashKey: "FIVE_TUPLE", seed: 1 },
});

function tableOf(ids: readonly string[]): MaglevTableUnit {
  const made = buildTable(
    ids.map((name) => ({ name, weight: 1 })),
    { size: SIZE, allocate: (bytes) => new SharedArrayBuffer(bytes) },
  );
  const slots = made.slots as Uint16Array<SharedArrayBuffer>;
  return { poolId: pool.id, backendIds: made.backends.map(({ name }) => name), slots };
}

interface Case extends Partial<DsrPoolFacts> {
  readonly of?: PoolUnit;
  readonly inRotation?: readonly string[];
}

function stateOf({ of = pool, inRotation = ["b1", "b2", "b3"], ...facts }: Case) {
  const active = of.backends.filter(({ id }) => inRotation.includes(id));
  return dsrPoolState(
    { pool: of, active, table: of.maglev && tableOf(["b1", "b2", "b3"]) },
    { healthOf: () => "ONLINE", isUnreachable: () => false, leaving: [], ...facts },
  );
}

describe("dsrPoolState", () => {
  test("all in rotation are members, and the table is untouched", () => {
    const { state, members } = stateOf({});
    expect(members).toEqual(["10.2.0.1", "10.2.0.2", "10.2.0.3"]);
    expect(state.table?.backendIds).toEqual(["b1", "b2", "b3"]);
  });

  test("who cannot be reached on the link is left out, and has his place in the table until he is back", () => {
    const { state, members } = stateOf({ isUnreachable: (address) => address === "10.2.0.2" });
    expect(members).toEqual(["10.2.0.1", "10.2.0.3"]);
    expect(state.active.map(({ id }) => id)).toEqual(["b1", "b3"]);
    expect(state.table).toEqual(tableOf(["b1", "b2", "b3"]));
  });

  test("when nobody can be reached nobody is active, nor a member", () => {
    const { state, members } = stateOf({ isUnreachable: () => true });
    expect([members, state.active]).toEqual([[], []]);
  });

  test("who left keeps what he has until his drain time is over", () => {
    const { state, members } = stateOf({ inRotation: ["b1", "b2"], leaving: ["10.2.0.9"] });
    expect(members).toContain("10.2.0.9");
    expect(state.active.map(({ id }) => id)).toEqual(["b1", "b2"]);
  });

  test.each([
    ["RESET", "TCP", false],
    ["KEEP", "TCP", true],
    ["KEEP", "UDP", false],
  ] as const)("on_backend_down %s of %s: a lost backend keeps its flows: %s", (onBackendDown, protocol, isKept) => {
    const { members } = stateOf({
      of: { ...pool, onBackendDown, protocol },
      inRotation: ["b1", "b2"],
      healthOf: ({ id }) => (id === "b3" ? "OFFLINE" : "ONLINE"),
      leaving: ["10.2.0.3"],
    });
    expect(members.includes("10.2.0.3")).toBe(isKept);
  });

  test("in panic even who is down is chosen, and a member", () => {
    expect(stateOf({ healthOf: () => "OFFLINE" }).members).toHaveLength(3);
  });

  test("whoever is chosen is a member", () => {
    const ids = fc.subarray(["b1", "b2", "b3"]);
    fc.assert(
      fc.property(ids, ids, ids, (inRotation, offline, unreachable) => {
        const { state, members } = stateOf({
          inRotation,
          healthOf: ({ id }) => (offline.includes(id) ? "OFFLINE" : "ONLINE"),
          isUnreachable: (address) => unreachable.includes(`b${address.at(-1)}`),
        });
        for (const { address } of state.active) expect(members).toContain(address);
      }),
    );
  });
});

describe("backendMarks", () => {
  test("an IPv4 address is its own mark", () => {
    expect(backendMarks(["10.2.0.16"]).get("10.2.0.16")).toBe(0x0a_02_00_10);
  });

  test("no two of a pool share one, none is 0, and the order does not matter", () => {
    const addresses = fc.uniqueArray(
      fc.oneof(
        fc.ipV4(),
        fc.nat(65_534).map((n) => `fd02::${(n + 1).toString(16)}`),
      ),
    );
    fc.assert(
      fc.property(addresses, (all) => {
        const marks = backendMarks(all);
        expect(new Set(marks.values()).size).toBe(all.length);
        expect([...marks.values()]).not.toContain(0);
        expect(backendMarks(all.toReversed())).toEqual(marks);
      }),
    );
  });
});
