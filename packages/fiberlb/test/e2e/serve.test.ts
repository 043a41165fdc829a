import { rmSync, writeFileSync } from "node:fs";

import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";

import { type Declared, declare, untilProvisioned } from "./api.ts";
import { EchoClient, type EchoServer, freePort, startEchoServer, tally } from "./echo-server.ts";
import { newFolder, type NodeProcess, startNode, VIP_NETWORK, writeConfig } from "./node-process.ts";
import { until } from "./until.ts";

jest.setTimeout(60_000);

let folder: string;
let servers: readonly EchoServer[];
let nodes: NodeProcess[];

beforeEach(async () => {
  folder = newFolder();
  nodes = [];
  servers = await Promise.all(["a", "b", "c"].map((name) => startEchoServer(name)));
});
afterEach(async () => {
  await Promise.all(nodes.map(({ program }) => program.kill()));
  await Promise.all(servers.map((server) => server.close()));
  rmSync(folder, { recursive: true });
});

async function start(
  config: Record<string, unknown> = {},
  nodeArguments: readonly string[] = [],
): Promise<NodeProcess> {
  const node = await startNode({ folder, config, nodeArguments });
  nodes.push(node);
  return node;
}

async function declareThree(node: NodeProcess): Promise<Declared> {
  const port = await freePort(`${VIP_NETWORK}.1`);
  const lb = await declare(node.api, { name: "web", vipAddress: `${VIP_NETWORK}.1`, port, backends: servers });
  await untilProvisioned(node.api, lb);
  return lb;
}

const evenly = { a: 5, b: 5, c: 5 };

test("serve says where its ports are, carries traffic, and is ready and healthy", async () => {
  const node = await start();
  expect(await tally(await declareThree(node), 15)).toEqual(evenly);
  for (const path of ["/healthz", "/readyz", "/readyz/api", "/metrics"]) {
    expect((await fetch(node.adminUrl + path)).status).toBe(200);
  }
});

test("SIGTERM lets a transfer finish and then exits 0; nobody new is served meanwhile", async () => {
  const node = await start();
  const lb = await declareThree(node);
  const client = await EchoClient.open(lb);
  node.program.signal("SIGTERM");
  await until(
    "the listener is closed",
    () => tally(lb, 1),
    (counts) => counts["ECONNREFUSED"] === 1,
  );
  const transfer = "0123456789".repeat(100_000);
  expect((await client.echo(transfer)) === transfer).toBe(true);
  expect(node.program.isRunning).toBe(true);
  client.end();
  expect(await client.ended).toBe("closed");
  expect(await node.program.ended).toMatchObject({ code: 0, signal: null });
});

test("SIGTERM resets what outlives shutdown.drainTimeoutMs, and exits 0", async () => {
  const node = await start({ shutdown: { drainTimeoutMs: 0 } });
  const client = await EchoClient.open(await declareThree(node));
  node.program.signal("SIGTERM");
  expect(await client.ended).toBe("ECONNRESET");
  expect(await node.program.ended).toMatchObject({ code: 0 });
});

test("a second SIGTERM ends it at once", async () => {
  const node = await start({ shutdown: { drainTimeoutMs: 3_600_000 } });
  const client = await EchoClient.open(await declareThree(node));
  node.program.signal("SIGTERM");
  await node.program.untilLine(/"event":"stopping"/);
  node.program.signal("SIGTERM");
  expect((await node.program.ended).code).toBe(1);
  await client.ended;
});

test("SIGHUP reads the log level again, and names what needs a restart", async () => {
  const node = await start();
  const { program, api } = node;
  await api.call("LoadBalancerService/ListLoadBalancers", {});
  writeConfig(folder, { log: { level: "debug" }, vipReuseDelayS: 5 });
  program.signal("SIGHUP");
  await program.untilLine(/"level":"warn".*vipReuseDelayS has changed.*needs a restart/);
  const from = program.stderr.length;
  await api.call("LoadBalancerService/ListLoadBalancers", {});
  await program.untilLine(/"level":"debug".*"event":"rpc".*ListLoadBalancers/, from);
  expect(program.stderr.slice(0, from).join("\n")).not.toContain('"event":"rpc"');

  writeFileSync(node.configFile, "apii: {}\n");
  program.signal("SIGHUP");
  expect(await program.untilLine(/configuration not read again/, from)).toContain('did you mean \\"api\\"?');
  expect((await fetch(`${node.adminUrl}/healthz`)).status).toBe(200);
});

test("after a restart everything is as it was, without a word to the API", async () => {
  const before = await start();
  const lb = await declareThree(before);
  const tree = await before.api.call("LoadBalancerService/GetLoadBalancer", { id: lb.loadBalancerId });
  before.program.signal("SIGTERM");
  expect(await before.program.ended).toMatchObject({ code: 0 });
  expect(await tally(lb, 1)).toEqual({ ECONNREFUSED: 1 });

  const after = await start();
  expect(await tally(lb, 15)).toEqual(evenly);
  expect(await untilProvisioned(after.api, lb)).toEqual(tree["loadBalancer"]);
});

test("after kill -9 in the midst of traffic and writes every acknowledged load balancer is there and serves", async () => {
  const before = await start();
  const lb = await declareThree(before);
  const held = await EchoClient.open(lb);
  const acknowledged: unknown[] = [];
  const storm = (async () => {
    for (;;) acknowledged.push((await before.api.resource("LoadBalancerService/CreateLoadBalancer", {}))["vipAddress"]);
  })().catch(() => undefined);
  await until(
    "writes are under way",
    () => acknowledged.length,
    (count) => count >= 10,
  );
  await before.program.kill();
  await storm;
  await held.ended;

  const after = await start();
  expect(await tally(lb, 15)).toEqual(evenly);
  const { loadBalancers } = await after.api.call("LoadBalancerService/ListLoadBalancers", { pageSize: 1000 });
  const vips = (loadBalancers as readonly { vipAddress: string }[]).map(({ vipAddress }) => vipAddress);
  expect(vips).toEqual(expect.arrayContaining([lb.host, ...acknowledged]));
  expect(new Set(vips).size).toBe(vips.length);
});

test("a worker that dies takes only its own connections along, is replaced, and the loss is logged", async () => {
  const hook = new URL("./terminate-worker.ts", import.meta.url).href;
  const { program, ...node } = await start({}, ["--import", hook]);
  const lb = await declareThree({ program, ...node });
  const clients = await Promise.all(Array.from({ length: 60 }, () => EchoClient.open(lb)));
  // Twice: the second one dies when only its sibling's replacement can go on serving.
  for (const [signal, losses] of [
    ["SIGUSR2", 1],
    ["SIGWINCH", 2],
  ] as const) {
    const from = program.stderr.length;
    const alive = await echoing(clients);
    program.signal(signal);
    const loss = JSON.parse(await program.untilLine(/worker died/, from)) as Record<string, unknown>;
    expect(loss).toMatchObject({ level: "error", lossesTotal: losses });
    const survivors = await echoing(clients);
    if (losses === 1) {
      expect(survivors.length).toBeGreaterThan(0);
      expect(survivors.length).toBeLessThan(alive.length);
    } else expect(survivors).toHaveLength(0);
    await until(
      "new connections are served",
      () => tally(lb, 6),
      ({ a, b, c }) => a === 2 && b === 2 && c === 2,
    );
  }
  expect(program.isRunning).toBe(true);
  for (const client of clients) client.destroy();
});

/** Those that still carry data. */
async function echoing(clients: readonly EchoClient[]): Promise<EchoClient[]> {
  const results = await Promise.all(
    clients.map((client) =>
      client.echo("x").then(
        (text) => text === "x",
        () => false,
      ),
    ),
  );
  return clients.filter((_, index) => results[index]);
}
