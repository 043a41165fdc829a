import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";

import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";

import { declare, untilProvisioned } from "./api.ts";
import { freePort } from "./echo-server.ts";
import { move, startEchoProcess } from "./load/processes.ts";
import { createNetwork, type Network, postFrom, whyNoNetwork } from "./network.ts";
import { type NodeProcess, startNode, VIP_NETWORK } from "./node-process.ts";
import type { Program } from "./program.ts";

jest.setTimeout(120_000);

const VIPS = "203.0.113.0/24";
const CONFIG = { vipPools: [{ name: "public", cidrs: [VIPS] }], shutdown: { drainTimeoutMs: 0 } };

const folders: string[] = [];
afterEach(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true })));

const why = whyNoNetwork();
(why ? describe.skip : describe)(`VIPs on lo of a network namespace${why ? ` (skipped: ${why})` : ""}`, () => {
  let network: Network;
  let running: Program[];
  beforeEach(() => {
    network = createNetwork(VIPS);
    running = [];
  });
  afterEach(async () => {
    await Promise.all(running.map((program) => program.kill()));
    network.remove();
  });

  async function start(bind: string, folder?: string): Promise<NodeProcess> {
    const { inLoadBalancer: prefix } = network;
    const node = await startNode({
      config: { ...CONFIG, dataPlane: { workers: 2, bind } },
      prefix,
      post: postFrom(prefix),
      ...(folder !== undefined && { folder }),
    });
    if (folder === undefined) folders.push(node.folder);
    running.push(node.program);
    return node;
  }

  async function declareEcho({ api }: NodeProcess) {
    const { program, ports } = await startEchoProcess(2, network.inLoadBalancer);
    running.push(program);
    const lb = await declare(api, { port: 7000, backends: ports.map((port) => ({ port })) });
    await untilProvisioned(api, lb);
    return lb;
  }

  const moveTo = (host: string) =>
    move({ targets: [{ host, port: 7000 }], clients: 4, totalBytes: 2_000_000 }, network.inClient);

  const vipsOnLo = () => network.addressesOnLo().filter((address) => address.startsWith("203.0.113."));

  test("assign: added as /32 for as long as it is used, reachable from another host, gone after the stop", async () => {
    const node = await start("assign");
    const { api, program } = node;
    const lb = await declareEcho(node);
    expect(vipsOnLo()).toEqual([`${lb.host}/32`]);
    expect((await moveTo(lb.host)).broken).toEqual({});

    const other = await api.resource("LoadBalancerService/CreateLoadBalancer", {});
    await untilProvisioned(api, { loadBalancerId: other.id });
    expect(vipsOnLo()).toEqual([`${lb.host}/32`, `${String(other["vipAddress"])}/32`]);
    await api.call("LoadBalancerService/DeleteLoadBalancer", { id: other.id });
    const third = await api.resource("LoadBalancerService/CreateLoadBalancer", {});
    await untilProvisioned(api, { loadBalancerId: third.id });
    expect(vipsOnLo()).toEqual([`${lb.host}/32`, `${String(third["vipAddress"])}/32`]);

    program.signal("SIGTERM");
    expect(await program.ended).toMatchObject({ code: 0 });
    expect(vipsOnLo()).toEqual([]);
  });

  test("assign: what a killed node left on lo, the next one takes over and removes in the end", async () => {
    const killed = await start("assign");
    const lb = await declareEcho(killed);
    await killed.program.kill();
    expect(vipsOnLo()).toEqual([`${lb.host}/32`]);

    const { program } = await start("assign", killed.folder);
    expect((await moveTo(lb.host)).broken).toEqual({});
    program.signal("SIGTERM");
    expect(await program.ended).toMatchObject({ code: 0 });
    expect(vipsOnLo()).toEqual([]);
  });

  test("assign: an address that was there already is used and left alone", async () => {
    const [ip, ...exec] = network.inLoadBalancer;
    spawnSync(ip!, [...exec, "ip", "addr", "add", "203.0.113.1/32", "dev", "lo"]);
    const node = await start("assign");
    const lb = await declareEcho(node);
    expect(lb.host).toBe("203.0.113.1");
    expect((await moveTo(lb.host)).broken).toEqual({});
    node.program.signal("SIGTERM");
    await node.program.ended;
    expect(vipsOnLo()).toEqual(["203.0.113.1/32"]);
  });

  test("anyip: reachable by a local route, without an address on lo", async () => {
    const node = await start("anyip");
    const lb = await declareEcho(node);
    expect(vipsOnLo()).toEqual([]);
    expect((await moveTo(lb.host)).broken).toEqual({});
  });

  test("existing: nothing is added, and the listener says that the VIP is not there", async () => {
    const node = await start("existing");
    const lb = await declare(node.api, { port: 7000, backends: [] });
    const { statusReason } = await untilProvisioned(node.api, lb, "ERROR");
    expect(statusReason).toContain(lb.host);
    expect(vipsOnLo()).toEqual([]);
  });
});

/** Root without the right to change addresses; whoever is not root does not have it anyway. */
const unprivileged = process.getuid?.() === 0 ? ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"] : [];
const whyNot =
  process.platform !== "linux"
    ? "needs Linux capabilities"
    : ["ip", ...unprivileged.slice(0, 1)]
        .filter((name) => spawnSync(name, ["--version"]).error !== undefined)
        .map((name) => `${name} is not installed`)
        .join(", ");
(whyNot ? describe.skip : describe)(`without CAP_NET_ADMIN${whyNot ? ` (skipped: ${whyNot})` : ""}`, () => {
  test("the load balancer is ERROR and says what is missing; one on a local address serves", async () => {
    const { program: echo, ports } = await startEchoProcess(1);
    const local = `${VIP_NETWORK}.1`;
    const vipPools = [...CONFIG.vipPools, { name: "local", cidrs: [`${local}-${local}`], autoAssign: false }];
    const { api, program, folder } = await startNode({ config: { ...CONFIG, vipPools }, prefix: unprivileged });
    folders.push(folder);
    try {
      const lb = await declare(api, { port: 7000, backends: [] });
      const { statusReason } = await untilProvisioned(api, lb, "ERROR");
      expect(statusReason).toContain(
        `cannot add VIP ${lb.host} to lo: needs CAP_NET_ADMIN, or dataPlane.bind: existing`,
      );
      const backends = ports.map((port) => ({ port }));
      const other = await declare(api, { vipAddress: local, port: await freePort(local), backends });
      await untilProvisioned(api, other);
      expect((await move({ targets: [other], clients: 2, totalBytes: 100_000 })).broken).toEqual({});
    } finally {
      await Promise.all([program.kill(), echo.kill()]);
    }
  });
});
