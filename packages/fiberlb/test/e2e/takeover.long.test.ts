import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";

import { declare, untilProvisioned } from "./api.ts";
import { runWrk, whyNoWrk } from "./load/wrk.ts";
import { createNetwork, type Network, postFrom, whyNoNetwork } from "./network.ts";
import { newFolder, type NodeProcess, startNode } from "./node-process.ts";
import { Program } from "./program.ts";

jest.setTimeout(600_000);

const VIPS = "203.0.113.0/24";
const WEB = { address: "192.0.2.2", port: 8080 };
const TAKEOVERS = 5;
/** Long enough for the takeovers, at any load; what comes after them is load as well. */
const SECONDS = Number(process.env["FIBERLB_TAKEOVER_S"] ?? 60);

const whyNoPrograms = ["nginx", "nft"].find((name) => spawnSync(name, ["-v"]).error !== undefined);
const why = whyNoNetwork() || whyNoWrk || (whyNoPrograms && `${whyNoPrograms} is not installed`);

/**
 * As many connections as the machine makes, a request each, while one process after the other takes over. How many that
 * were is printed: 10,000 a second take a machine with cores to spare for clients and servers.
 */
(why ? describe.skip : describe)(`takeovers at full load${why ? ` (skipped: ${why})` : ""}`, () => {
  let network: Network;
  let folder: string;
  let running: Program[];
  beforeEach(() => {
    [folder, running] = [newFolder(), []];
    network = createNetwork(VIPS);
    inside(network.inLoadBalancer, "sysctl", "-qw", "net.ipv4.tcp_migrate_req=1", "net.ipv4.ip_forward=1");
    // Without it the ports of one client last for some 500 connections a second.
    for (const place of [network.inClient, network.inLoadBalancer]) {
      inside(place, "sysctl", "-qw", "net.ipv4.tcp_tw_reuse=1", "net.ipv4.ip_local_port_range=10240 65535");
    }
  });
  afterEach(async () => {
    await Promise.all(running.map((program) => program.kill()));
    network.remove();
    rmSync(folder, { recursive: true });
  });

  function inside(prefix: readonly string[], ...command: readonly string[]): void {
    const [file, ...rest] = [...prefix, ...command];
    const { status, stderr } = spawnSync(file!, rest, { encoding: "utf8" });
    if (status !== 0) throw new Error(`${command.join(" ")}: ${stderr}`);
  }

  function startWeb(): void {
    const config = join(folder, "nginx.conf");
    writeFileSync(config, nginxConfig());
    running.push(new Program([...network.inClient, "nginx", "-p", folder, "-c", config]));
  }

  async function start(l4: string, ...serveArguments: string[]): Promise<NodeProcess> {
    const { inLoadBalancer: prefix } = network;
    const config = {
      api: { listen: "127.0.0.1:9080" },
      admin: { listen: "127.0.0.1:9081" },
      vipPools: [{ name: "public", cidrs: [VIPS] }],
      dataPlane: { workers: 2, l4, onStop: "remove" },
    };
    const node = await startNode({ folder, config, prefix, serveArguments, post: postFrom(prefix) });
    running.push(node.program);
    return node;
  }

  test.each(["userspace", "nftables"])("%s: no connection fails", async (l4) => {
    startWeb();
    let node = await start(l4);
    const lb = await declare(node.api, { port: 7000, backends: [WEB] });
    await untilProvisioned(node.api, lb);
    const url = `http://${lb.host}:${lb.port}/`;
    let isOver = false;
    const load = runWrk({ url, connections: 64, seconds: SECONDS, newConnections: true, prefix: network.inClient });
    const done = load.finally(() => (isOver = true));
    for (let round = 0; round < TAKEOVERS; round++) {
      const next = await start(l4, "--takeover");
      expect(await node.program.ended).toMatchObject({ code: 0 });
      node = next;
    }
    expect(isOver).toBe(false);
    const { requests, failed, detail } = await done;
    const rate = Math.round(requests / SECONDS);
    process.stdout.write(
      `${l4}: ${TAKEOVERS} takeovers at ${rate} connections a second, ${failed} of ${requests} failed\n`,
    );
    expect({ failed, detail }).toMatchObject({ failed: 0 });
  });
});

const nginxConfig =
  (): string => `daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log stderr crit;
events { worker_connections 8192; }
http { access_log off; server { listen ${WEB.address}:${WEB.port} backlog=4096; location / { return 200 "hello\\n"; } } }
`;
