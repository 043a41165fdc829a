import { spawnSync } from "node:child_process";

import {
  BackendStatus,
  ListenerProtocol,
  OnBackendDown,
  PoolAlgorithm,
  PoolProtocol,
  SessionPersistenceType,
} from "@fiberlb/api";
import { buildTable, FlowHash, withUsable, xxHash32 } from "@fiberlb/maglev";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";

import type { FlowResult } from "../../data/l4/nftables/agent-protocol.ts";
import { V4, V6, whyNoKernel } from "../../data/l4/nftables/testbed.ts";
import type { Declared } from "../declare.ts";
import { until } from "../until.ts";
import { type CurlReply, type Driver, DriverRig, PORTS, type Wanted } from "./driver-rig.ts";

jest.setTimeout(120_000);

const missing = ["curl", "socat", "iperf3"].filter((name) => spawnSync(name, ["-V"]).error !== undefined);
const why = whyNoKernel() || (missing.length > 0 ? `${missing.join(", ")} not installed` : "");
const DRIVERS: readonly Driver[] = ["userspace", "nftables"];

/** How often each backend answered. */
function shares(replies: readonly CurlReply[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { backend } of replies) counts[backend] = (counts[backend] ?? 0) + 1;
  return counts;
}

/** Nobody listens, or the connection was reset: in user space it is accepted before it is judged. */
const isRefused = ({ exitCode }: CurlReply): boolean => exitCode === 7 || exitCode === 56;

// What must be the same whoever carries the packets. What only one driver does has suites of its own.
(why ? describe.skip : describe).each(DRIVERS)(`L4 by %s${why ? ` (skipped: ${why})` : ""}`, (driver) => {
  let rig: DriverRig;
  beforeAll(async () => {
    rig = new DriverRig();
    await rig.start(driver);
  });
  afterAll(() => rig.stop());

  const [one, two, three] = V4.backends as [string, string, string];
  const lines = { port: PORTS.lines } as const;
  const udp = { listener: { protocol: ListenerProtocol.UDP }, pool: { protocol: PoolProtocol.UDP } } as const;

  async function hold({ host, port }: Declared, count: number): Promise<FlowResult[]> {
    const held = await rig.client.open({ transport: "tcp", host, port, count, hold: true });
    expect(held.flatMap(({ error }) => error ?? [])).toEqual([]);
    return held;
  }

  /** What becomes of the connections that were held last when each sends a line. */
  const echo = async (count: number): Promise<string[]> =>
    (await rig.client.echoHeld()).slice(-count).map(({ outcome }) => outcome);

  test("it is this driver that serves", async () => {
    const { host } = await rig.declare({});
    const ruleset = rig.bed.balancer.exec("nft", "list", "ruleset");
    expect(ruleset.includes(`${host} . tcp . 80 : goto pool`)).toBe(driver === "nftables");
  });

  test("round robin gives every backend its turn, a weighted one its share", async () => {
    const plain = await rig.declare({});
    expect(shares(rig.curl(plain, 9))).toEqual({ [one]: 3, [two]: 3, [three]: 3 });
    const weighted = { algorithm: PoolAlgorithm.WEIGHTED_ROUND_ROBIN };
    const lb = await rig.declare({ pool: weighted, backends: [{ weight: 1 }, { weight: 3 }] });
    expect(shares(rig.curl(lb, 8))).toEqual({ [one]: 2, [two]: 6 });
  });

  test.each([
    ["IP_HASH", { algorithm: PoolAlgorithm.IP_HASH }],
    ["source-IP persistence", { sessionPersistence: { type: SessionPersistenceType.SOURCE_IP } }],
  ] as [string, Wanted["pool"]][])("%s keeps a client with one backend", async (_what, pool) => {
    const lb = await rig.declare({ pool });
    expect(Object.values(shares(rig.curl(lb, 8)))).toEqual([8]);
  });

  test.each([
    ["IPv4", V4],
    ["IPv6", V6],
  ])("Maglev: every %s flow goes where the library says, also with a backend out", async (_family, at) => {
    const lb = await rig.declare({ at, pool: { algorithm: PoolAlgorithm.MAGLEV } });
    const { pool } = await rig.api.pools.getPool({ id: lb.poolId });
    const table = buildTable(
      lb.backendIds.map((name) => ({ name })),
      { size: pool!.maglev!.effectiveTableSize },
    );
    const hash = new FlowHash({ seed: xxHash32(lb.poolId) });
    const expectAllBy = (now: typeof table): void => {
      const replies = rig.curl(lb, 30);
      const expected = replies.map(({ port }) => {
        const flow = { sourceAddress: at.client, sourcePort: port };
        const name = now.backendFor(hash.fiveTuple({ ...flow, destinationAddress: lb.host, destinationPort: lb.port }));
        return at.backends[lb.backendIds.indexOf(name!.name)];
      });
      expect(replies.map(({ backend }) => backend)).toEqual(expected);
    };
    expectAllBy(table);
    await rig.change(lb, 1, { adminStateUp: false });
    expectAllBy(withUsable(table, (name) => name !== lb.backendIds[1]));
  });

  test.each([
    ["IPv4", V4],
    ["IPv6", V6],
  ])("backends see the balancer as the client, with %s", async (_family, at) => {
    const [reply] = rig.curl(await rig.declare({ at }));
    expect(reply).toMatchObject({ exitCode: 0, backend: at.backends[0], seen: at.inside });
  });

  test("clients outside of allowed_cidrs are refused", async () => {
    const inside = await rig.declare({ listener: { allowedCidrs: ["10.0.0.0/8"] } });
    expect(rig.curl(inside)[0]?.exitCode).toBe(0);
    const outside = await rig.declare({ listener: { allowedCidrs: ["192.0.2.0/24"] } });
    expect(rig.curl(outside).every(isRefused)).toBe(true);
  });

  test("connection_limit counts what is open; what ends makes room", async () => {
    const lb = await rig.declare({ listener: { connectionLimit: 2 }, backends: [lines] });
    await hold(lb, 2);
    const { host, port } = lb;
    const more = () => rig.client.open({ transport: "tcp", host, port, count: 1 });
    expect((await more())[0]?.error).toMatch(/ECONNREFUSED|ECONNRESET/);
    await rig.client.dropHeld();
    await until("there is room again", more, ([flow]) => flow?.error === undefined);
  });

  test("a backend that drains keeps its connections for the drain time, and gets no new ones", async () => {
    const lb = await rig.declare({ pool: { drainTimeoutS: 2 }, backends: [lines, lines] });
    const held = await hold(lb, 2);
    expect(new Set(held.map(({ backend }) => backend))).toEqual(new Set([one, two]));
    const own = held.findIndex(({ backend }) => backend === one);
    await rig.change(lb, 0, { weight: 0 });
    expect(await echo(2)).toEqual(["ok", "ok"]);
    expect((await hold(lb, 3)).map(({ backend }) => backend)).toEqual([two, two, two]);
    const ended = await until(
      "the drain time is over",
      async () => (await echo(5)).slice(0, 2),
      (outcomes) => outcomes[own] !== "ok",
    );
    expect(ended[own]).toMatch(/ECONNRESET|gone/);
    expect(ended[1 - own]).toBe("ok");
  });

  test("UDP: turns by flow, and a client's flows together where the pool says so", async () => {
    const plain = await rig.declare({ ...udp, backends: [lines, lines, lines] });
    const turns = [1, 2, 3].map(() => rig.socatUdp(plain));
    expect(turns.toSorted()).toEqual([one, two, three]);
    const sessionPersistence = { type: SessionPersistenceType.SOURCE_IP };
    const pool = { ...udp.pool, sessionPersistence };
    const sticky = await rig.declare({ ...udp, pool, backends: [lines, lines, lines] });
    expect(new Set([1, 2].map(() => rig.socatUdp(sticky))).size).toBe(1);
  });

  test("UDP over IPv6", async () => {
    const lb = await rig.declare({ ...udp, at: V6, backends: [lines] });
    expect(rig.socatUdp(lb)).toBe(V6.backends[0]);
  });

  test("without a listener, or without a backend, clients are refused at once", async () => {
    const lb = await rig.declare({});
    expect(rig.curl({ host: lb.host, port: 81 })[0]?.exitCode).toBe(7);
    const flow = { host: lb.host, port: 81, count: 1 } as const;
    expect((await rig.client.open({ ...flow, transport: "udp" }))[0]?.error).toBe("ECONNREFUSED");
    const empty = await rig.declare({ backends: [] });
    expect(rig.curl(empty).every(isRefused)).toBe(true);
  });

  test("a backend reaches the VIP that leads back to itself, and the balancer reaches it too", async () => {
    const lb = await rig.declare({ backends: [{}] });
    expect(rig.curl(lb, 1, rig.bed.backends)[0]).toMatchObject({ exitCode: 0, backend: one });
    expect(rig.curl(lb, 1, rig.bed.balancer)[0]).toMatchObject({ exitCode: 0, backend: one });
  });

  test("connections are counted", async () => {
    const lb = await rig.declare({ backends: [{}] });
    rig.curl(lb, 5);
    const stats = await until(
      "five connections were counted",
      async () => (await rig.api.loadBalancers.getLoadBalancerStats({ id: lb.loadBalancerId })).stats!,
      ({ totalConnections }) => totalConnections === 5n,
    );
    expect(stats.bytesIn).toBeGreaterThan(0n);
    expect(stats.bytesOut).toBeGreaterThan(0n);
  });

  test("iperf3: streams both ways, and datagrams, over one port", async () => {
    const lb = await rig.declare({ listener: { port: 5201 }, backends: [{ port: 5201 }] });
    const poolId = (await rig.api.pools.createPool({ loadBalancerId: lb.loadBalancerId, ...udp.pool })).pool!.id;
    await rig.api.backends.createBackend({ poolId, address: one, port: 5201 });
    const listener = { protocol: ListenerProtocol.UDP, port: 5201, defaultPoolId: poolId };
    await rig.api.listeners.createListener({ loadBalancerId: lb.loadBalancerId, ...listener });
    await rig.applied(lb);
    const bytes = (...flags: readonly string[]): Promise<number> => rig.iperf3(lb, one, flags);
    expect(await bytes("-n", "32M")).toBeGreaterThan(16_000_000);
    expect(await bytes("-R", "-n", "32M")).toBeGreaterThan(16_000_000);
    expect(await bytes("-u", "-b", "50M", "-n", "1M")).toBeGreaterThan(500_000);
  });

  // Last, for health checks of the first backend fail from here on.
  test("a backend found down: RESET ends its connections, KEEP doesn't; nobody new goes there", async () => {
    const monitored = { port: PORTS.lines, monitorPort: PORTS.monitor };
    const wanted = { monitored: true, backends: [monitored, monitored] };
    const reset = await rig.declare({ ...wanted, pool: { onBackendDown: OnBackendDown.RESET } });
    const keep = await rig.declare({ ...wanted, pool: { onBackendDown: OnBackendDown.KEEP } });
    const online = (lb: Declared, index: number, status: BackendStatus): Promise<unknown> =>
      until(
        `backend ${index} has status ${status}`,
        async () => (await rig.api.backends.getBackend({ id: lb.backendIds[index]! })).backend!.status,
        (answer) => answer === status,
      );
    for (const lb of [reset, keep]) for (const index of [0, 1]) await online(lb, index, BackendStatus.ONLINE);
    const held = [...(await hold(reset, 2)), ...(await hold(keep, 2))];
    await rig.silenceFirstMonitor();
    for (const lb of [reset, keep]) await online(lb, 0, BackendStatus.OFFLINE);
    const outcomes = await until(
      "the connection that is to be reset is",
      () => echo(4),
      (all) => held.slice(0, 2).every(({ backend }, index) => backend !== one || all[index] !== "ok"),
    );
    const expected = held.map(({ backend }, index) => (index < 2 && backend === one ? "ended" : "ok"));
    expect(outcomes.map((outcome) => (/ECONNRESET|gone/.test(outcome) ? "ended" : outcome))).toEqual(expected);
    expect((await hold(reset, 3)).map(({ backend }) => backend)).toEqual([two, two, two]);
  });
});
