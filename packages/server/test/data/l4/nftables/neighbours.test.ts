import { describe, expect, test } from "@jest/globals";

import { NEIGHBOUR_INTERVAL_MS, Neighbours, parseNeighbours } from "../../../../src/data/l4/nftables/neighbours.ts";
import { FakeClock } from "../../../fake-clock.ts";

const MAC = "02:00:00:00:00:01";
const listed = (dst: string, state: string, lladdr?: string) => ({ dst, dev: "eth0", state: [state], lladdr });

describe("parseNeighbours", () => {
  test.each([
    ["REACHABLE", "reachable"],
    ["PERMANENT", "reachable"],
    ["STALE", "stale"],
    ["DELAY", "stale"],
    ["PROBE", "stale"],
  ])("%s is %s", (state, expected) => {
    const parsed = parseNeighbours(JSON.stringify([listed("fd02::1", state, MAC)]));
    expect(parsed).toEqual(new Map([["fd02::1", expected]]));
  });

  test("FAILED cannot, INCOMPLETE says nothing, and neither does an empty answer", () => {
    const parsed = parseNeighbours(JSON.stringify([listed("10.0.0.1", "FAILED"), listed("10.0.0.2", "INCOMPLETE")]));
    expect(parsed).toEqual(
      new Map([
        ["10.0.0.1", "unreachable"],
        ["10.0.0.2", "unknown"],
      ]),
    );
    expect(parseNeighbours("")).toEqual(new Map());
    expect(parseNeighbours("[ ]")).toEqual(new Map());
  });
});

describe("Neighbours", () => {
  function rig() {
    const clock = new FakeClock();
    const [knocked, changes, warnings] = [[] as string[], [] as (readonly string[])[], [] as string[]];
    const kernel = { table: [] as unknown[], stderr: "", asked: 0 };
    const neighbours = new Neighbours({
      run: () => {
        kernel.asked++;
        const { table, stderr } = kernel;
        return Promise.resolve({ code: stderr === "" ? 0 : 1, stdout: JSON.stringify(table), stderr });
      },
      knock: (address) => void knocked.push(address),
      clock,
      log: { info: () => undefined, warn: (event) => void warnings.push(event), error: () => undefined },
      onChange: (addresses) => void changes.push(addresses),
    });
    return { clock, knocked, changes, warnings, kernel, neighbours };
  }

  test("tells of who fails and of who comes back, once each, and only of those who are watched", async () => {
    const { neighbours, kernel, changes, knocked } = rig();
    neighbours.watch(["10.0.0.1", "10.0.0.2"]);
    kernel.table = [listed("10.0.0.1", "FAILED"), listed("10.0.0.9", "FAILED"), listed("10.0.0.2", "STALE", MAC)];
    await neighbours.look();
    await neighbours.look();
    expect(changes).toEqual([["10.0.0.1"]]);
    expect([neighbours.isUnreachable("10.0.0.1"), neighbours.isUnreachable("10.0.0.9")]).toEqual([true, false]);
    expect(knocked).toEqual(["10.0.0.1", "10.0.0.2", "10.0.0.1", "10.0.0.2"]);
    kernel.table = [listed("10.0.0.1", "INCOMPLETE")];
    await neighbours.look();
    expect(neighbours.isUnreachable("10.0.0.1")).toBe(true);
    kernel.table = [listed("10.0.0.1", "REACHABLE", MAC)];
    await neighbours.look();
    expect(changes).toEqual([["10.0.0.1"], ["10.0.0.1"]]);
    expect(neighbours.isUnreachable("10.0.0.1")).toBe(false);
    // Who was confirmed lately is left in peace.
    expect(knocked.slice(4)).toEqual(["10.0.0.1", "10.0.0.2", "10.0.0.2"]);
    neighbours.stop();
  });

  test("asks nobody while nobody is watched", () => {
    const { neighbours, kernel, clock } = rig();
    neighbours.watch([]);
    clock.advance(10 * NEIGHBOUR_INTERVAL_MS);
    expect(kernel.asked).toBe(0);
    neighbours.watch(["10.0.0.1"]);
    // What takes longer than the interval is not asked for twice.
    clock.advance(3 * NEIGHBOUR_INTERVAL_MS);
    expect(kernel.asked).toBe(1);
    neighbours.watch([]);
    clock.advance(3 * NEIGHBOUR_INTERVAL_MS);
    expect(kernel.asked).toBe(1);
  });

  test("what cannot be read changes nothing, and is said once", async () => {
    const { neighbours, kernel, changes, warnings } = rig();
    neighbours.watch(["10.0.0.1"]);
    kernel.stderr = "no such program";
    await neighbours.look();
    await neighbours.look();
    expect([changes, warnings]).toEqual([[], ["cannot read the kernel's neighbour table"]]);
    neighbours.stop();
  });
});
