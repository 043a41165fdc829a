import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { afterEach, beforeEach, expect, it, jest } from "@jest/globals";

import { controlSocketPath } from "../../src/control-socket.ts";
import { askToTakeOver, type Takeover } from "../../src/takeover/successor.ts";
import { startTestNode, type TestNode } from "./test-node.ts";
import { until } from "./until.ts";

jest.setTimeout(60_000);

let folder: string;
let path: string;
let node: TestNode;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "fiberlb-takeover-"));
  path = join(folder, "fiberlb.db");
  node = await startTestNode({ "store.kind": "sqlite", "store.path": path });
});
afterEach(async () => {
  await node.stop();
  rmSync(folder, { recursive: true });
});

async function ask(): Promise<Takeover> {
  const takeover = await askToTakeOver(controlSocketPath(dirname(path)), { onRevoked: () => undefined });
  if (takeover === undefined) throw new Error("nobody is there");
  return takeover;
}

const names = async (): Promise<string[]> =>
  (await node.client.loadBalancers.listLoadBalancers({})).loadBalancers.map(({ name }) => name);
const logged = (event: string) =>
  until(`"${event}" is logged`, () => node.log.some((line) => line.event === event), Boolean);

it("takes store and ports back from a process that fails, as they were before", async () => {
  await node.client.loadBalancers.createLoadBalancer({ name: "before" });
  const { apiUrl, adminUrl } = node.server;
  const takeover = await ask();
  await expect(fetch(`${adminUrl}/healthz`)).rejects.toThrow("fetch failed");
  takeover.fail("for a reason");
  await logged("store and ports are open again");
  expect(node.log).toContainEqual(
    expect.objectContaining({ level: "warn", reason: "for a reason", event: expect.stringContaining("goes on") }),
  );
  expect(node.server).toMatchObject({ apiUrl, adminUrl });
  expect((await fetch(`${adminUrl}/readyz/api`)).status).toBe(200);
  expect(await names()).toEqual(["before"]);
  await node.client.loadBalancers.createLoadBalancer({ name: "after" });
  expect((await names()).toSorted()).toEqual(["after", "before"]);
});

it("lets nobody else take over while one does, and anybody afterwards", async () => {
  const takeover = await ask();
  await expect(ask()).rejects.toThrow(
    "Cannot take over: the running process is stopping, or another one is taking over",
  );
  takeover.fail("for a reason");
  await logged("store and ports are open again");
  (
    await until(
      "somebody may ask again",
      () => ask().catch(() => undefined),
      (one) => one !== undefined,
    )
  )?.fail("once more");
});

it("tries until a port that somebody took meanwhile is free again", async () => {
  const takeover = await ask();
  const { port, hostname } = new URL(node.server.adminUrl);
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(Number(port), hostname, resolve));
  takeover.fail("for a reason");
  await logged("store and ports cannot be had so far; trying again");
  other.close();
  await logged("store and ports are open again");
  expect(await names()).toEqual([]);
});

it("ends in order when it is told to in the middle", async () => {
  const takeover = await ask();
  await node.server.stop();
  // What it had is free: whoever was taking over goes on.
  await takeover.ready();
});

it("leaves once the other one is ready: what remains is to stop", async () => {
  const takeover = await ask();
  await takeover.ready();
  await node.server.handedOver;
  expect(await askToTakeOver(controlSocketPath(dirname(path)), { onRevoked: () => undefined })).toBeUndefined();
});
