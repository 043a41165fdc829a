import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { describe, expect, test } from "@jest/globals";

import { Drains } from "../../../../src/data/l4/nftables/drains.ts";
import { type FlowGroup, flowKey } from "../../../../src/data/l4/nftables/flows.ts";
import { LostBackends } from "../../../../src/data/l4/nftables/lost-backends.ts";
import { PoolStates } from "../../../../src/data/l4/nftables/pool-states.ts";
import { createRoutingGuard } from "../../../../src/data/l4/nftables/routing.ts";
import { Traffic } from "../../../../src/data/l4/nftables/traffic.ts";
import { silentLog } from "../../../../src/log.ts";
import { FakeClock } from "../../../fake-clock.ts";
import { backendUnit, poolUnit, unit } from "../../units.ts";

const flows = (address: string, transport: "tcp" | "udp" = "tcp") => ({
  endpoint: { vip: "203.0.113.1", transport, port: 80 },
  address,
  port: 9000,
  drainTimeoutMs: 1000,
});

describe("Drains", () => {
  function create() {
    const clock = new FakeClock();
    const over: string[] = [];
    return { clock, over, drains: new Drains({ clock, onOver: ({ address }) => void over.push(address) }) };
  }

  test("what is no longer served ends after its drain time", () => {
    const { clock, over, drains } = create();
    drains.serve("lb", [flows("a"), flows("b")]);
    drains.serve("lb", [flows("b")]);
    clock.advance(999);
    expect([over, drains.pending]).toEqual([[], 1]);
    clock.advance(1);
    expect([over, drains.pending]).toEqual([["a"], 0]);
  });

  test("what comes back in time goes on", () => {
    const { clock, over, drains } = create();
    drains.serve("lb", [flows("a")]);
    drains.serve("lb", []);
    drains.serve("other", [flows("a")]);
    clock.advance(5000);
    expect(over).toEqual([]);
  });

  test("nothing ends any more after a stop", () => {
    const { clock, over, drains } = create();
    drains.serve("lb", [flows("a")]);
    drains.serve("lb", []);
    drains.stop();
    clock.advance(5000);
    expect(over).toEqual([]);
  });
});

describe("LostBackends", () => {
  const pool = (onBackendDown: "RESET" | "KEEP") => poolUnit([backendUnit("x", { address: "a" })], { onBackendDown });

  function create() {
    const chosen = new Set(["x"]);
    const ended: FlowGroup[] = [];
    const lost = new LostBackends({ end: (group) => void ended.push(group), isChosen: (_pool, id) => chosen.has(id) });
    return { chosen, ended, lost };
  }

  test("end only when the table leads nobody there any more", () => {
    const { chosen, ended, lost } = create();
    lost.add("x", pool("RESET"), [flows("a"), flows("b")]);
    lost.endWhatIsNotChosen();
    expect(ended).toEqual([]);
    chosen.clear();
    lost.endWhatIsNotChosen();
    lost.endWhatIsNotChosen();
    expect(ended.map(({ address }) => address)).toEqual(["a"]);
  });

  test("KEEP keeps TCP connections; UDP flows end anyway", () => {
    const { chosen, ended, lost } = create();
    chosen.clear();
    lost.add("x", pool("KEEP"), [flows("a"), flows("a", "udp")]);
    lost.endWhatIsNotChosen();
    expect(ended.map(({ endpoint }) => endpoint.transport)).toEqual(["udp"]);
  });

  test("one that came back in time keeps its flows", () => {
    const { chosen, ended, lost } = create();
    lost.add("x", pool("RESET"), [flows("a")]);
    lost.remove("x");
    chosen.clear();
    lost.endWhatIsNotChosen();
    expect(ended).toEqual([]);
  });
});

describe("PoolStates", () => {
  const maglev = { tableSize: 1021, hashKey: "FIVE_TUPLE", seed: 0 } as const;
  const poolOf = (...ids: string[]) =>
    poolUnit(
      ids.map((id) => backendUnit(id)),
      { algorithm: "MAGLEV", maglev },
    );
  const tableOf = (...backendIds: string[]) => ({
    poolId: "pool",
    backendIds,
    slots: new Uint16Array(new SharedArrayBuffer(2 * (backendIds.length === 0 ? 0 : 1021))),
  });

  test("a table that knows a backend which is still to come waits for it", () => {
    const states = new PoolStates();
    const [before, after] = [tableOf("a"), tableOf("a", "b")];
    states.setTable(before);
    expect(states.stateOf(poolOf("a")).table).toBe(before);
    states.setTable(after);
    expect(states.stateOf(poolOf("a")).table).toBe(before);
    expect(states.stateOf(poolOf("a", "b")).table).toBe(after);
  });

  test("a table without a backend that is still there is used at once, and so is one without any", () => {
    const states = new PoolStates();
    states.setTable(tableOf("a", "b"));
    states.stateOf(poolOf("a", "b"));
    for (const next of [tableOf("a"), tableOf()]) {
      states.setTable(next);
      expect(states.stateOf(poolOf("a", "b")).table).toBe(next);
    }
    expect(states.isChosen(poolOf("a", "b"), "a")).toBe(false);
  });

  test("what left is forgotten, and nothing else", () => {
    const states = new PoolStates();
    const pool = poolUnit([backendUnit("a", { monitored: true }), backendUnit("b", { monitored: true })]);
    for (const id of ["a", "b"]) states.setHealth(id, "ONLINE");
    expect(states.setHealth("a", "ONLINE")).toBe(false);
    const rest = { ...pool, backends: pool.backends.slice(1) };
    states.release(unit({ pools: [pool] }), unit({ pools: [rest] }));
    expect(states.stateOf(rest).active.map(({ id }) => id)).toEqual(["b"]);
    expect(states.setHealth("a", "ONLINE")).toBe(true);
  });
});

describe("Traffic", () => {
  const [a, b] = [flowKey(flows("10.0.0.1")), flowKey(flows("10.0.0.2"))];
  const endpoint = "203.0.113.1 . tcp . 80";
  const counted = (key: string, packets: number, bytes = 0) => ({ key, data: "", packets, bytes });

  test("adds up a backend's and an endpoint's", () => {
    const traffic = new Traffic();
    traffic.note("opened", "4", [counted(a, 2), counted(b, 3)]);
    traffic.note("traffic.in", "4", [counted(a, 9, 500)]);
    traffic.note("refused.acl", "4", [counted(endpoint, 7)]);
    expect(["opened", "traffic.in", "refused.acl"].map((set) => traffic.total(set as "opened", endpoint))).toEqual([
      5, 500, 7,
    ]);
    expect(traffic.total("opened", a)).toBe(2);
  });

  test("never goes back: not when an element leaves, not when the table is loaded anew", () => {
    const traffic = new Traffic();
    traffic.note("opened", "4", [counted(a, 2), counted(b, 3)]);
    traffic.note("opened", "4", [counted(a, 4)]);
    expect(traffic.total("opened", endpoint)).toBe(7);
    traffic.note("opened", "4", [counted(a, 1), counted(b, 1)]);
    expect(traffic.total("opened", endpoint)).toBe(9);
  });
});

describe("a host that was no router", () => {
  const host = (ipv4: boolean, ipv6: boolean) => ({ addresses: new Map<string, string>(), forwards: { ipv4, ipv6 } });

  test("stays none when forwarding is switched on for us, over restarts too", () => {
    const folder = mkdtempSync(path.join(tmpdir(), "fiberlb-routing-"));
    try {
      const create = () =>
        createRoutingGuard({ routeOthers: "auto", stateFile: `${folder}/routing.json`, log: silentLog });
      const guard = create();
      expect(guard(host(true, true))).toEqual({ ipv4: false, ipv6: false });
      expect(guard(host(false, true))).toEqual({ ipv4: true, ipv6: false });
      expect(guard(host(true, true))).toEqual({ ipv4: true, ipv6: false });
      expect(create()(host(true, true))).toEqual({ ipv4: true, ipv6: false });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("is told what to do by routeOthers", () => {
    const guard = (routeOthers: "never" | "always") =>
      createRoutingGuard({ routeOthers, log: silentLog })(host(false, true));
    expect(guard("never")).toEqual({ ipv4: true, ipv6: true });
    expect(guard("always")).toEqual({ ipv4: false, ipv6: false });
  });
});
