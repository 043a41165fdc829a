import { FlowHash, buildTable, withUsable } from "@fiberlb/maglev";
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import { maglev } from "../../../src/data/select/maglev.ts";
import type { Candidate } from "../../../src/data/select/selector.ts";
import type { MaglevTableUnit, MaglevUnit } from "../../../src/snapshot/snapshot.ts";
import { candidates, flow, repeat, tally } from "./candidates.ts";

const unit: MaglevUnit = { tableSize: 1021, hashKey: "FIVE_TUPLE", seed: 0x1234abcd };

function tableOf(some: readonly Candidate[], size = unit.tableSize): MaglevTableUnit {
  const backends = some.map(({ backend }) => ({ name: backend.id, weight: backend.weight }));
  const built = buildTable(backends, { size });
  const slots = new Uint16Array(new SharedArrayBuffer(size * 2));
  slots.set(built.slots);
  return { poolId: "pool", backendIds: built.backends.map(({ name }) => name), slots };
}

describe("Maglev", () => {
  it("picks what the library's table says for the kernel's hash of the flow", () => {
    const some = candidates(1, 2, 3);
    const selector = maglev(unit, () => tableOf(some));
    const built = buildTable(
      some.map(({ backend }) => ({ name: backend.id, weight: backend.weight })),
      { size: unit.tableSize },
    );
    const hash = new FlowHash({ seed: unit.seed });
    fc.assert(
      fc.property(fc.ipV4(), fc.nat(65_535), (clientAddress, clientPort) => {
        const key = { sourceAddress: clientAddress, sourcePort: clientPort };
        const expected = built.backendFor(
          hash.fiveTuple({ ...key, destinationAddress: "192.0.2.1", destinationPort: 80 }),
        );
        const picked = some[selector.pick(some, flow(0, { clientAddress, clientPort }))];
        expect(picked?.backend.id).toBe(expected?.name);
      }),
    );
  });

  it("with SOURCE_IP sends all connections of a client to one backend", () => {
    const some = candidates(1, 1, 1, 1);
    const table = tableOf(some);
    const selector = maglev({ ...unit, hashKey: "SOURCE_IP" }, () => table);
    for (let client = 0; client < 200; client++) {
      const picks = [...repeat(5, (time) => selector.pick(some, flow(client, { clientPort: 1000 + time })))];
      expect(new Set(picks).size).toBe(1);
    }
  });

  it("skips the slots of a backend that is no candidate, and moves nobody else's flows", () => {
    const all = candidates(1, 1, 1, 1, 1);
    const table = tableOf(all);
    const usable = all.filter(({ backend }) => backend.id !== "b");
    const [before, after] = [maglev(unit, () => table), maglev(unit, () => table)];
    const taken = tally(
      usable.length,
      [...repeat(5000, (client) => client)].flatMap((client) => {
        const was = all[before.pick(all, flow(client))]!.backend.id;
        const is = after.pick(usable, flow(client));
        if (was === "b") return [is];
        expect(usable[is]!.backend.id).toBe(was);
        return [];
      }),
    );
    for (const count of taken) expect(count).toBeGreaterThan(125);
  });

  it("picks what the library's table of those who are left says", () => {
    const all = candidates(1, 2, 3, 1, 1);
    const isLeft = (id: string): boolean => !["b", "d"].includes(id);
    const left = all.filter(({ backend }) => isLeft(backend.id));
    const table = tableOf(all);
    const selector = maglev(unit, () => table);
    const backends = all.map(({ backend }) => ({ name: backend.id, weight: backend.weight }));
    const expected = withUsable(buildTable(backends, { size: unit.tableSize }), isLeft);
    const hash = new FlowHash({ seed: unit.seed });
    for (let client = 0; client < 2000; client++) {
      const { clientAddress, clientPort, vip, vipPort } = flow(client);
      const key = { sourceAddress: clientAddress, sourcePort: clientPort };
      const picked = left[selector.pick(left, flow(client))]!.backend.id;
      const said = expected.backendFor(hash.fiveTuple({ ...key, destinationAddress: vip, destinationPort: vipPort }));
      expect(picked).toBe(said?.name);
    }
  });

  it("takes a new table at once", () => {
    const some = candidates(1, 1);
    const onlyA = tableOf(some.slice(0, 1));
    const onlyB = tableOf(some.slice(1));
    let table = onlyA;
    const selector = maglev(unit, () => table);
    expect(selector.pick(some, flow())).toBe(0);
    table = onlyB;
    expect(selector.pick(some, flow())).toBe(1);
  });

  it.each([
    { what: "without a table", table: undefined },
    {
      what: "with the table of an empty pool",
      table: { poolId: "p", backendIds: [], slots: new Uint16Array(new SharedArrayBuffer(0)) },
    },
    {
      what: "with a table that knows none of the candidates",
      table: tableOf(candidates(1).map((one) => ({ ...one, backend: { ...one.backend, id: "x" } }))),
    },
  ])("$what spreads flows by their hash, the same on every worker", ({ table }) => {
    const some = candidates(1, 1, 1);
    const [one, other] = [maglev(unit, () => table), maglev(unit, () => table)];
    const picks = [...repeat(3000, (client) => one.pick(some, flow(client)))];
    expect(picks).toEqual([...repeat(3000, (client) => other.pick(some, flow(client)))]);
    for (const count of tally(3, picks)) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });

  it.each(["HEADER", "COOKIE"] as const)("keeps requests with the same %s together, whoever sends them", (hashKey) => {
    const some = candidates(1, 1, 1, 1);
    const table = tableOf(some);
    const selector = maglev({ ...unit, hashKey, hashKeyName: "user" }, () => table);
    const picks = (hashText: string) =>
      new Set(repeat(20, (i) => selector.pick(some, flow(i, { clientPort: 1000 + i, hashText }))));
    const users = Array.from({ length: 200 }, (_, i) => picks(`user ${i}`));
    expect(users.every(({ size }) => size === 1)).toBe(true);
    expect(new Set(users.flatMap((one) => [...one])).size).toBe(4);
    // Without one, requests go by their connection.
    const unnamed = new Set(repeat(200, (i) => selector.pick(some, flow(i, { clientPort: 1000 + i }))));
    expect(unnamed.size).toBe(4);
  });
});
