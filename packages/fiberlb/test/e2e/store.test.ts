import { statSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";

import { newFolder, type NodeProcess, startNode } from "./node-process.ts";
import { runFiberlb } from "./program.ts";

jest.setTimeout(60_000);

let folder: string;
let nodes: NodeProcess[];
beforeEach(() => {
  folder = newFolder();
  nodes = [];
});
afterEach(async () => {
  await Promise.all(nodes.map(({ program }) => program.kill()));
  rmSync(folder, { recursive: true });
});

async function start(): Promise<NodeProcess> {
  const node = await startNode({ folder, config: { shutdown: { drainTimeoutMs: 0 } } });
  nodes.push(node);
  return node;
}

async function stop({ program }: NodeProcess): Promise<void> {
  program.signal("SIGTERM");
  expect(await program.ended).toMatchObject({ code: 0 });
}

async function names({ api }: NodeProcess): Promise<string[]> {
  const { loadBalancers = [] } = await api.call("LoadBalancerService/ListLoadBalancers", {});
  return (loadBalancers as readonly { name: string }[]).map(({ name }) => name);
}

const create = ({ api }: NodeProcess, name: string) => api.call("LoadBalancerService/CreateLoadBalancer", { name });

test("a backup of a running node, restored after it stopped, is the state of that moment", async () => {
  const node = await start();
  await create(node, "before");
  const file = join(folder, "backup.db");
  expect(await runFiberlb(["store", "backup", file, "--config", node.configFile])).toMatchObject({
    code: 0,
    stdout: [expect.stringContaining(`to ${file}`)],
    stderr: [],
  });
  expect(statSync(file).mode & 0o077).toBe(0);
  await create(node, "after");

  const early = await runFiberlb(["store", "restore", file, "--config", node.configFile]);
  expect(early.code).toBe(1);
  expect(early.stderr).toHaveLength(1);
  expect(early.stderr[0]).toMatch(/another process|in use|stop/);
  expect(await names(node)).toEqual(["before", "after"]);

  await stop(node);
  const restored = await runFiberlb(["store", "restore", file, "--config", node.configFile]);
  expect(restored).toMatchObject({ code: 0, stderr: [] });
  expect(restored.stdout.join("\n")).toMatch(/restored .*\nthe store that was there is now /);
  expect(await names(await start())).toEqual(["before"]);
});

test("a backup while no node runs", async () => {
  const node = await start();
  await create(node, "web");
  await stop(node);
  const file = join(folder, "backup.db");
  expect(await runFiberlb(["store", "backup", file, "--config", node.configFile])).toMatchObject({ code: 0 });
  rmSync(join(folder, "fiberlb.db"));
  expect(await runFiberlb(["store", "restore", file, "--config", node.configFile])).toMatchObject({ code: 0 });
  expect(await names(await start())).toEqual(["web"]);
});

test("a backup never overwrites a file, and a restore takes no file that is no backup", async () => {
  const node = await start();
  await create(node, "web");
  const file = join(folder, "notes.txt");
  writeFileSync(file, "my notes\n");
  const backup = await runFiberlb(["store", "backup", file, "--config", node.configFile]);
  expect(backup).toMatchObject({ code: 1, stderr: [expect.stringContaining(file)] });
  await stop(node);
  const restore = await runFiberlb(["store", "restore", file, "--config", node.configFile]);
  expect(restore).toMatchObject({ code: 1, stderr: [expect.stringContaining(file)] });
  const missing = await runFiberlb(["store", "restore", join(folder, "missing.db"), "--config", node.configFile]);
  expect(missing).toMatchObject({ code: 1, stderr: [expect.stringContaining("missing.db")] });
  expect(await names(await start())).toEqual(["web"]);
});
