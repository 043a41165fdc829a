import { beforeEach, describe, expect, it } from "@jest/globals";

import { CounterTable } from "../../src/data/counters.ts";
import { BACKEND_TOTAL, healthOf, LISTENER_TOTAL, POOL_FLAG } from "../../src/data/figures.ts";
import { Ledger } from "../../src/data/ledger.ts";
import type { UnitAssignment } from "../../src/data/worker-protocol.ts";
import type { BackendUnit, Unit } from "../../src/snapshot/snapshot.ts";
import { backendUnit, listenerUnit, poolUnit, unit } from "./units.ts";

let ledger: Ledger;

beforeEach(() => {
  ledger = new Ledger(2);
});

const web = (part: Partial<BackendUnit> = {}): Unit =>
  unit({ listeners: [listenerUnit()], pools: [poolUnit([backendUnit("a", part), backendUnit("b", part)])] });

/** A backend's row as a worker sees it. */
function backendRow({ slots }: UnitAssignment, id: string, worker = 0) {
  return CounterTable.open(ledger.memory.backends).row(slots.backends[id] ?? -1, worker);
}

const healthIn = (assignment: UnitAssignment, id: string) => healthOf(backendRow(assignment, id));

function generation({ slots }: UnitAssignment): number {
  return CounterTable.open(ledger.memory.pools)
    .row(slots.pools["pool"] ?? -1, 0)
    .flag(POOL_FLAG.generation);
}

describe("health in the ledger", () => {
  it("starts as NO_MONITOR without a health check and UNKNOWN with one", () => {
    expect(healthIn(ledger.assign(web()), "a")).toBe("NO_MONITOR");
    expect(
      healthIn(
        ledger.assign(unit({ pools: [poolUnit([backendUnit("c", { monitored: true })], { id: "other" })] })),
        "c",
      ),
    ).toBe("UNKNOWN");
  });

  it("follows the pool's health check being added and taken away, and keeps verdicts meanwhile", () => {
    ledger.assign(web({ monitored: true }));
    ledger.setHealth("a", "OFFLINE");
    expect(healthIn(ledger.assign(web({ monitored: true, weight: 5 })), "a")).toBe("OFFLINE");
    expect(healthIn(ledger.assign(web()), "a")).toBe("NO_MONITOR");
    expect(healthIn(ledger.assign(web({ monitored: true })), "a")).toBe("UNKNOWN");
  });

  it("takes verdicts that come before their backend, for one snapshot", () => {
    ledger.setHealth("a", "ONLINE");
    expect(healthIn(ledger.assign(web({ monitored: true })), "a")).toBe("ONLINE");
    ledger.setHealth("c", "ONLINE");
    ledger.dropEarly();
    const late = unit({ pools: [poolUnit([backendUnit("c", { monitored: true })], { id: "late" })] });
    expect(healthIn(ledger.assign(late), "c")).toBe("UNKNOWN");
  });

  it("is forgotten with its backend", () => {
    ledger.assign(web({ monitored: true }));
    ledger.setHealth("a", "OFFLINE");
    ledger.release(web(), undefined);
    expect(healthIn(ledger.assign(web({ monitored: true })), "a")).toBe("UNKNOWN");
  });

  it("moves the pool's generation when it changes, and only then", () => {
    const assignment = ledger.assign(web({ monitored: true }));
    const before = generation(assignment);
    expect(ledger.setHealth("a", "ONLINE")).toEqual({ poolId: "pool", before: "UNKNOWN" });
    expect(ledger.setHealth("a", "ONLINE")).toEqual({ poolId: "pool", before: "ONLINE" });
    expect(generation(assignment) - before).toBe(1);
  });

  it("answers nothing for a backend that isn't there", () => {
    expect(ledger.setHealth("x", "ONLINE")).toBeUndefined();
  });
});

describe("figures in the ledger", () => {
  it("are read over all workers, and outlive one that dies", () => {
    const assignment = ledger.assign(web());
    for (const worker of [0, 1]) {
      const row = backendRow(assignment, "a", worker);
      row.addToGauge(1);
      row.add(BACKEND_TOTAL.connections, 3);
    }
    const listener = CounterTable.open(ledger.memory.listeners).row(assignment.slots.listeners["listener"] ?? -1, 1);
    listener.addToGauge(1);
    listener.add(LISTENER_TOTAL.bytesIn, 7);
    ledger.fold(1);
    expect(ledger.backendFigures("a")).toMatchObject({ connectionsActive: 1, connectionsTotal: 6 });
    expect(ledger.listenerFigures("listener")).toMatchObject({ connectionsActive: 0, bytesIn: 7 });
    expect(ledger.backendFigures("b").connectionsTotal).toBe(0);
  });

  it("stay with an id that goes and comes back, and are told meanwhile", () => {
    const first = ledger.assign(web());
    backendRow(first, "a").add(BACKEND_TOTAL.connectErrors, 2);
    ledger.release(web(), undefined);
    expect(ledger.backendFigures("a").connectErrorsTotal).toBe(2);
    expect(ledger.assign(web()).slots).toEqual(first.slots);
    expect(ledger.backendFigures("a").connectErrorsTotal).toBe(2);
  });

  it("keep the slots of what stays in a unit that changes", () => {
    const before = web();
    const first = ledger.assign(before);
    const after = { ...before, pools: [poolUnit([backendUnit("b"), backendUnit("c")])] };
    const second = ledger.assign(after);
    ledger.release(before, after);
    expect(second.slots.backends["b"]).toBe(first.slots.backends["b"]);
    expect(new Set(Object.values(second.slots.backends)).size).toBe(2);
    expect(second.slots.backends["c"]).not.toBe(first.slots.backends["a"]);
  });
});
