import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";

import { type Api, type Declared, declare, untilProvisioned } from "./api.ts";
import { EchoClient, type EchoServer, freePort, startEchoServer, tally } from "./echo-server.ts";
import { newFolder, type NodeProcess, startNode, VIP_NETWORK } from "./node-process.ts";
import { until } from "./until.ts";

jest.setTimeout(120_000);

const DISK = "size=4m";

/** Why no small disk can be made here; empty when one can. */
function whyNoDisk(): string {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "needs root on Linux to mount a small disk";
  const folder = newFolder();
  const { status } = spawnSync("mount", ["-t", "tmpfs", "-o", DISK, "tmpfs", folder]);
  if (status === 0) spawnSync("umount", [folder]);
  rmSync(folder, { recursive: true });
  return status === 0 ? "" : "this host allows no mount";
}

/** Writes a file until the disk is full. */
function fill(file: string): void {
  const block = Buffer.alloc(4096);
  const descriptor = openSync(file, "w");
  try {
    for (;;) writeSync(descriptor, block);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  } finally {
    closeSync(descriptor);
  }
}

const why = whyNoDisk();
(why ? describe.skip : describe)(`the store's disk is full${why ? ` (skipped: ${why})` : ""}`, () => {
  let folder: string;
  let disk: string;
  let node: NodeProcess;
  let server: EchoServer;
  let lb: Declared;

  beforeEach(async () => {
    folder = newFolder();
    disk = join(folder, "disk");
    mkdirSync(disk);
    spawnSync("mount", ["-t", "tmpfs", "-o", DISK, "tmpfs", disk]);
    server = await startEchoServer("a");
    node = await startNode({ folder, config: { store: { kind: "sqlite", path: join(disk, "fiberlb.db") } } });
    const vipAddress = `${VIP_NETWORK}.1`;
    lb = await declare(node.api, { vipAddress, port: await freePort(vipAddress), backends: [server] });
    await untilProvisioned(node.api, lb);
  });
  afterEach(async () => {
    await node?.program.kill();
    await server?.close();
    spawnSync("umount", [disk]);
    rmSync(folder, { recursive: true });
  });

  const tryCreate = (api: Api) =>
    api.call("LoadBalancerService/CreateLoadBalancer", { description: "x".repeat(200) }).then(
      () => "done",
      (error: Error) => error.message,
    );

  test("the API says so, traffic goes on, and when there is room again so does the API", async () => {
    const { api, program, adminUrl } = node;
    const held = await EchoClient.open(lb);
    fill(join(disk, "ballast"));
    const refusal = await until(
      "a write is refused",
      () => tryCreate(api),
      (answer) => answer !== "done",
    );
    expect(refusal).toMatch(/disk of the server's store is full/);

    expect(await held.echo("still here")).toBe("still here");
    expect(await tally(lb, 5)).toEqual({ a: 5 });
    expect((await fetch(`${adminUrl}/readyz`)).status).toBe(200);
    expect(await api.resource("LoadBalancerService/GetLoadBalancer", { id: lb.loadBalancerId })).toMatchObject({
      vipAddress: lb.host,
    });
    expect(program.isRunning).toBe(true);

    rmSync(join(disk, "ballast"));
    await until(
      "a write is taken again",
      () => tryCreate(api),
      (answer) => answer === "done",
    );
    expect(await held.echo("still here")).toBe("still here");
    held.destroy();
  });
});
