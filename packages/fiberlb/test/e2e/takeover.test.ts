import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { connect, type Socket } from "node:net";

import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";

import { declare, type Declared, untilProvisioned } from "./api.ts";
import { freePort } from "./echo-server.ts";
import { startConnectionRate, startEchoProcess } from "./load/processes.ts";
import { createNetwork, type Network, postFrom, whyNoNetwork } from "./network.ts";
import { newFolder, type NodeProcess, startNode, VIP_NETWORK } from "./node-process.ts";
import { FIBERLB, Program } from "./program.ts";

jest.setTimeout(240_000);

const VIPS = "203.0.113.0/24";
const API = "127.0.0.1:9080";
const ADMIN = "127.0.0.1:9081";
/** More fill the client's ports with connections in TIME_WAIT while a busy machine takes its time. */
const CONNECTIONS_PER_S = 300;

let running: Program[];
let folder: string;
beforeEach(() => {
  running = [];
  folder = newFolder();
});
afterEach(async () => {
  await Promise.all(running.map((program) => program.kill()));
  rmSync(folder, { recursive: true });
});

const ends = ({ program }: NodeProcess) => program.ended.then(({ code, signal }) => ({ code, signal }));

const why = whyNoNetwork();
(why ? describe.skip : describe)(`taking over under load${why ? ` (skipped: ${why})` : ""}`, () => {
  let network: Network;
  beforeEach(() => {
    network = createNetwork(VIPS);
    const [ip, ...exec] = network.inLoadBalancer;
    const { status, stderr } = spawnSync(ip!, [...exec, "sysctl", "-qw", "net.ipv4.tcp_migrate_req=1"]);
    if (status !== 0) throw new Error(`cannot set tcp_migrate_req: ${stderr.toString()}`);
  });
  afterEach(() => network.remove());

  async function start(config: object = {}, ...serveArguments: string[]): Promise<NodeProcess> {
    const { inLoadBalancer: prefix } = network;
    const sections = {
      api: { listen: API },
      admin: { listen: ADMIN },
      vipPools: [{ name: "public", cidrs: [VIPS] }],
      dataPlane: { workers: 2, l4: "userspace" },
      ...config,
    };
    const node = await startNode({ folder, config: sections, prefix, serveArguments, post: postFrom(prefix) });
    running.push(node.program);
    return node;
  }

  async function declareEcho({ api }: NodeProcess): Promise<Declared> {
    const { program, ports } = await startEchoProcess(2, network.inLoadBalancer);
    running.push(program);
    const backends = ports.map((port) => ({ port }));
    const lb = await declare(api, { name: "echo", port: 7000, backends, healthCheck: { intervalMs: 500 } });
    await untilProvisioned(api, lb);
    return lb;
  }

  test("five times in a row: no connection is lost, what was written is there, the VIP stays", async () => {
    let node = await start();
    const lb = await declareEcho(node);
    const load = await startConnectionRate({ ...lb, perSecond: CONNECTIONS_PER_S }, network.inClient);
    running.push(load.program);
    for (let round = 1; round <= 5; round++) {
      await node.api.call("LoadBalancerService/CreateLoadBalancer", { name: `before-${round}` });
      const next = await start({}, "--takeover");
      expect(await ends(node)).toEqual({ code: 0, signal: null });
      node = next;
    }
    const { succeeded, failed } = await load.finish();
    expect(failed).toEqual({});
    expect(succeeded).toBeGreaterThan(CONNECTIONS_PER_S);
    const { loadBalancers } = await node.api.call("LoadBalancerService/ListLoadBalancers", {});
    const names = (loadBalancers as { name: string }[]).map(({ name }) => name);
    expect(names.toSorted()).toEqual(["before-1", "before-2", "before-3", "before-4", "before-5", "echo"]);
    expect(network.addressesOnLo()).toContain(`${lb.host}/32`);
    node.program.signal("SIGTERM");
    await ends(node);
    expect(network.addressesOnLo().filter((address) => address.startsWith("203.0.113."))).toEqual([]);
  });

  const whyNoNft = spawnSync("nft", ["--version"]).error === undefined ? "" : "nft is not installed";
  (whyNoNft ? describe.skip : describe)(`with nftables${whyNoNft ? ` (skipped: ${whyNoNft})` : ""}`, () => {
    test("what the kernel forwards never notices", async () => {
      const [ip, ...exec] = network.inLoadBalancer;
      const inLoadBalancer = (...command: string[]) => spawnSync(ip!, [...exec, ...command], { encoding: "utf8" });
      expect(inLoadBalancer("sysctl", "-qw", "net.ipv4.ip_forward=1").status).toBe(0);
      const kernel = { dataPlane: { workers: 2, l4: "auto", onStop: "remove" } };
      let node = await start(kernel);
      const { program, ports } = await startEchoProcess(2, network.inClient, "192.0.2.2");
      running.push(program);
      const backends = ports.map((port) => ({ port, address: "192.0.2.2" }));
      const lb = await declare(node.api, { port: 7000, backends });
      await untilProvisioned(node.api, lb);
      const table = () => inLoadBalancer("nft", "list", "map", "inet", "fiberlb", "endpoints4").stdout;
      expect(table()).toContain(`${lb.host} . tcp . 7000`);

      const load = await startConnectionRate({ ...lb, perSecond: CONNECTIONS_PER_S }, network.inClient);
      running.push(load.program);
      for (let round = 1; round <= 2; round++) {
        const next = await start(kernel, "--takeover");
        expect(await ends(node)).toEqual({ code: 0, signal: null });
        node = next;
      }
      expect((await load.finish()).failed).toEqual({});
      expect(table()).toContain(`${lb.host} . tcp . 7000`);
      node.program.signal("SIGTERM");
      await ends(node);
      expect(table()).toBe("");
    });
  });

  test("by a process that is killed in the middle: the one that runs goes on", async () => {
    const node = await start();
    const lb = await declareEcho(node);
    const load = await startConnectionRate({ ...lb, perSecond: CONNECTIONS_PER_S }, network.inClient);
    running.push(load.program);
    const [file, ...rest] = FIBERLB;
    const serve = ["serve", "--config", node.configFile, "--takeover"];
    const killed = new Program([...network.inLoadBalancer, file, ...rest, ...serve]);
    await killed.untilLine(/taking over from the running process/);
    await killed.kill();
    await node.program.untilLine(/store and ports are open again/);
    await node.api.call("LoadBalancerService/CreateLoadBalancer", { name: "after" });
    expect((await load.finish()).failed).toEqual({});
  });

  test("by a process that cannot open its port: the one that runs goes on, and hands over to the next", async () => {
    const node = await start();
    const lb = await declareEcho(node);
    const { program: other, ports } = await startEchoProcess(1, network.inLoadBalancer);
    running.push(other);
    const load = await startConnectionRate({ ...lb, perSecond: CONNECTIONS_PER_S }, network.inClient);
    running.push(load.program);

    const taken = start({ admin: { listen: `127.0.0.1:${ports[0]}` } }, "--takeover");
    await expect(taken).rejects.toThrow(`Cannot open the admin port 127.0.0.1:${ports[0]}: the port is in use`);
    await node.program.untilLine(/store and ports are open again/);
    expect(node.program.stderr.join("\n")).toMatch(/Cannot open the admin port/);
    const { loadBalancer } = await node.api.call("LoadBalancerService/GetLoadBalancer", { id: lb.loadBalancerId });
    expect(loadBalancer).toMatchObject({ name: "echo" });
    await node.api.call("LoadBalancerService/CreateLoadBalancer", { name: "after" });
    expect(network.addressesOnLo()).toContain(`${lb.host}/32`);

    const next = await start({}, "--takeover");
    expect(await ends(node)).toEqual({ code: 0, signal: null });
    expect((await load.finish()).failed).toEqual({});
    const { loadBalancers } = await next.api.call("LoadBalancerService/ListLoadBalancers", {});
    expect(loadBalancers).toHaveLength(2);
  });
});

describe("taking over", () => {
  const config = { vipPools: [{ name: "default", cidrs: [`${VIP_NETWORK}.0/24`] }] };
  const start = async (...serveArguments: string[]): Promise<NodeProcess> => {
    const node = await startNode({ folder, config, serveArguments });
    running.push(node.program);
    return node;
  };

  async function say(socket: Socket, text: string): Promise<string> {
    socket.write(text);
    const [bytes] = (await once(socket, "data")) as [Buffer];
    return bytes.toString();
  }

  test("a connection that stands is finished by the old process, which then ends", async () => {
    const node = await start();
    const { program, ports } = await startEchoProcess(1);
    running.push(program);
    const port = await freePort(`${VIP_NETWORK}.1`);
    const lb = await declare(node.api, { port, backends: ports.map((one) => ({ port: one })) });
    await untilProvisioned(node.api, lb);
    const socket = connect(lb.port, lb.host);
    expect(await say(socket, "before")).toBe("before");

    const next = await start("--takeover");
    await node.program.untilLine(/handed over/);
    expect(await say(socket, "after")).toBe("after");
    expect(node.program.isRunning).toBe(true);
    socket.end();
    await once(socket, "close");
    expect(await ends(node)).toEqual({ code: 0, signal: null });

    const fresh = connect(lb.port, lb.host);
    expect(await say(fresh, "hello")).toBe("hello");
    fresh.destroy();
    expect(await next.api.resource("LoadBalancerService/GetLoadBalancer", { id: lb.loadBalancerId })).toMatchObject({
      provisioningStatus: "PROVISIONING_STATUS_ACTIVE",
    });
  });

  test("without anybody to take over from it just starts, and says so", async () => {
    const node = await start("--takeover");
    expect(node.program.stderr.join("\n")).toContain("nobody to take over from; starting as usual");
  });
});
