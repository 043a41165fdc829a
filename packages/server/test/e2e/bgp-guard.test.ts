import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { createFiberlbClient } from "@fiberlb/api";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";

import { Gobgpd, whyNoGobgpd } from "../announce/bgp/gobgpd.ts";
import { TestRouter } from "../announce/bgp/test-router.ts";
import { declare } from "./declare.ts";
import { startWebServer, type WebServer } from "./web-server.ts";

jest.setTimeout(60_000);

/** Of the range for benchmarks (RFC 2544), which no network routes. */
const VIP = `198.19.${process.pid % 256}.10`;
/** The issue's bound for routes to a process that was killed. */
const BOUND_MS = 500;

const why = whyNoGobgpd("gobgpd-sid");

(why === "" ? describe : describe.skip)(`a node with a guard${why && ` (skipped: ${why})`}`, () => {
  let router: TestRouter;
  let daemon: Gobgpd;
  let backend: WebServer;
  let folder: string;
  const started: ChildProcess[] = [];

  beforeAll(async () => {
    [router, backend] = await Promise.all([TestRouter.start(64500), startWebServer("a", { host: "127.0.0.79" })]);
    folder = mkdtempSync(join(tmpdir(), "fiberlb-guard-"));
    daemon = new Gobgpd("gobgpd-sid");
    daemon.start();
  });
  afterAll(async () => {
    for (const child of started) if (child.exitCode === null && child.signalCode === null) await kill(child);
    await Promise.all([daemon.remove(), router.close(), backend.close()]);
    rmSync(folder, { recursive: true });
    // Who is killed leaves it behind.
    spawnSync("ip", ["address", "delete", `${VIP}/32`, "dev", "lo"]);
  });

  /** Resolves with the API's address when it is up. */
  async function start(mode = "serve"): Promise<{ readonly child: ChildProcess; readonly api: string }> {
    const file = join(folder, "config.json");
    writeFileSync(file, JSON.stringify(config()));
    const flags = ["--conditions=@fiberlb/source", "--disable-warning=ExperimentalWarning"];
    const entry = fileURLToPath(new URL("./bgp-node.ts", import.meta.url));
    const child = spawn(process.execPath, [...flags, entry, file, mode], { stdio: ["ignore", "ignore", "pipe"] });
    started.push(child);
    const lines: string[] = [];
    for await (const line of createInterface(child.stderr)) {
      lines.push(line);
      const { event, api } = JSON.parse(line) as { event: string; api?: string };
      if (event !== "node is up" || api === undefined) continue;
      // What comes later is of no interest, and must not fill the pipe.
      child.stderr.resume();
      return { child, api };
    }
    throw new Error(`the node did not start:\n${lines.join("\n")}`);
  }

  const config = (): object => ({
    "api.listen": "127.0.0.1:0",
    "admin.listen": "127.0.0.1:0",
    "store.path": join(folder, "fiberlb.db"),
    "dataPlane.workers": 1,
    "dataPlane.l4": "userspace",
    "shutdown.drainTimeoutMs": 0,
    "shutdown.withdrawWaitMs": 100,
    vipPools: [{ name: "default", cidrs: [`${VIP}/32`] }],
    bgp: {
      gobgp: daemon.url,
      asn: 64512,
      routerId: "192.0.2.1",
      listenPort: -1,
      nextHop: "192.0.2.1",
      peers: [{ address: "127.0.0.1", asn: 64500, port: router.port, connectRetryS: 1 }],
    },
  });

  const isRouted = (): Promise<void> => router.until(({ prefixes }) => prefixes.length === 1);

  /** Kills a node. @returns milliseconds until the router has no route any more */
  async function withdrawnIn(child: ChildProcess): Promise<number> {
    const startedMs = performance.now();
    child.kill("SIGKILL");
    await router.until(({ prefixes }) => prefixes.length === 0);
    return Math.round((router.events.at(-1)?.atMs ?? 0) - startedMs);
  }

  test("is withdrawn when its process is killed, taken over without a gap, and withdrawn again", async () => {
    const first = await start();
    const client = createFiberlbClient({ baseUrl: first.api });
    await declare(client, {
      vipAddress: VIP,
      backends: [{ address: backend.host, port: backend.port }],
      monitored: true,
    });
    client.close();
    await isRouted();
    const killedMs = await withdrawnIn(first.child);

    const second = await start();
    await isRouted();
    const before = router.events.length;
    const third = await start("takeover");
    await once(second.child, "exit");
    expect(router.events.slice(before)).toEqual([]);

    const againMs = await withdrawnIn(third.child);
    process.stdout.write(`killed node: withdrawn after ${killedMs} ms, its successor after ${againMs} ms\n`);
    expect(Math.max(killedMs, againMs)).toBeLessThan(BOUND_MS);
  });

  test("that stops in order needs no guard", async () => {
    const { child } = await start();
    await isRouted();
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    await router.until(({ prefixes }) => prefixes.length === 0);
    expect(router.events.at(-2)?.communities).toEqual(["65535:0"]);
    expect(await exited).toEqual([0, null]);
  });
});

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}
