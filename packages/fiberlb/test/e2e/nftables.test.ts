import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";

import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";

import { declare, untilProvisioned } from "./api.ts";
import { move, startEchoProcess } from "./load/processes.ts";
import { createNetwork, type Network, postFrom, whyNoNetwork } from "./network.ts";
import { type NodeProcess, startNode } from "./node-process.ts";
import type { Program } from "./program.ts";

jest.setTimeout(120_000);

const VIPS = "203.0.113.0/24";
/** Where the backends are: beside the client, on the other side of the load balancer. */
const BACKEND = "192.0.2.2";

const isMissing = (program: string): boolean => spawnSync(program, ["-V"]).error !== undefined;
const why = whyNoNetwork() || (isMissing("nft") ? "nft is not installed" : "");
(why ? describe.skip : describe)(`a node that forwards in the kernel${why ? ` (skipped: ${why})` : ""}`, () => {
  let network: Network;
  let running: Program[];
  let folder: string | undefined;
  beforeEach(() => {
    network = createNetwork(VIPS);
    [running, folder] = [[], undefined];
    inLoadBalancer("sysctl", "-qw", "net.ipv4.ip_forward=1");
  });
  afterEach(async () => {
    await Promise.all(running.map((program) => program.kill()));
    network.remove();
    if (folder !== undefined) rmSync(folder, { recursive: true });
  });

  function inLoadBalancer(...command: string[]): string {
    const [program = "", ...args] = [...network.inLoadBalancer, ...command];
    return spawnSync(program, args, { encoding: "utf8" }).stdout;
  }

  async function start(dataPlane: object): Promise<NodeProcess> {
    const node = await startNode({
      config: {
        vipPools: [{ name: "public", cidrs: [VIPS] }],
        shutdown: { drainTimeoutMs: 0 },
        dataPlane: { workers: 1, l4: "nftables", ...dataPlane },
      },
      prefix: network.inLoadBalancer,
      post: postFrom(network.inLoadBalancer),
      ...(folder !== undefined && { folder }),
    });
    folder = node.folder;
    running.push(node.program);
    return node;
  }

  test("traffic outlives the process; the next one takes over, and takes its table along when told to", async () => {
    const { program: echo, ports } = await startEchoProcess(2, network.inClient, BACKEND);
    running.push(echo);
    const killed = await start({});
    const backends = ports.map((port) => ({ port, address: BACKEND }));
    const lb = await declare(killed.api, { port: 7000, backends, pool: { algorithm: "POOL_ALGORITHM_MAGLEV" } });
    await untilProvisioned(killed.api, lb);
    expect(inLoadBalancer("ss", "-Hltn", `src ${lb.host}`)).toBe("");
    const traffic = () => move({ targets: [lb], clients: 4, totalBytes: 2_000_000 }, network.inClient);
    expect((await traffic()).broken).toEqual({});

    await killed.program.kill();
    expect((await traffic()).broken).toEqual({});
    const next = await start({ onStop: "remove" });
    expect((await traffic()).broken).toEqual({});
    next.program.signal("SIGTERM");
    expect(await next.program.ended).toMatchObject({ code: 0 });
    expect(inLoadBalancer("nft", "list", "tables")).toBe("");
    expect(network.addressesOnLo()).not.toContain(`${lb.host}/32`);
  });

  test("a host that forwards nothing is an error that says what to set; auto serves in user space", async () => {
    inLoadBalancer("sysctl", "-qw", "net.ipv4.ip_forward=0");
    const { program: echo, ports } = await startEchoProcess(1, network.inClient, BACKEND);
    running.push(echo);
    const node = await start({});
    const lb = await declare(node.api, { port: 7000, backends: ports.map((port) => ({ port, address: BACKEND })) });
    const { statusReason } = await untilProvisioned(node.api, lb, "ERROR");
    expect(statusReason).toContain("net.ipv4.ip_forward is 0; set it to 1");
    await node.program.kill();

    const { api } = await start({ l4: "auto" });
    await untilProvisioned(api, lb);
    expect((await move({ targets: [lb], clients: 2, totalBytes: 100_000 }, network.inClient)).broken).toEqual({});
  });
});
