import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";

import { type Declared, declare, untilProvisioned } from "./api.ts";
import { EchoClient, freePort, tally } from "./echo-server.ts";
import { type NodeProcess, startNode, VIP_NETWORK } from "./node-process.ts";
import { FIBERLB, Program } from "./program.ts";
import { until } from "./until.ts";

jest.setTimeout(120_000);

const SERVER = fileURLToPath(new URL("./load/registered-server.ts", import.meta.url));
const TTL_S = 3;
/** For so long a backend that has left is still listed, and may finish what it carries. */
const DRAIN_S = 10;

interface Registered {
  readonly name: string;
  /** `fiberlb register`. */
  readonly program: Program;
  /** Process id of what it runs. */
  readonly serverPid: number;
}

let node: NodeProcess;
let lb: Declared;
let registered: Registered[];

beforeEach(async () => {
  registered = [];
  node = await startNode();
  const vipAddress = `${VIP_NETWORK}.1`;
  const pool = { name: "app", drainTimeoutS: DRAIN_S };
  lb = await declare(node.api, { name: "web", vipAddress, port: await freePort(vipAddress), pool, backends: [] });
  await untilProvisioned(node.api, lb);
});
afterEach(async () => {
  await Promise.all(registered.map(killBoth));
  await node.program.kill();
  rmSync(node.folder, { recursive: true });
});

async function register(name: string): Promise<Registered> {
  const port = String(await freePort("127.0.0.1"));
  const flags = ["--server", node.api.url, "--pool", "web/app", "--name", name, "--address", "127.0.0.1"];
  const command = [process.execPath, SERVER, name, port];
  const args = ["register", ...flags, "--port", port, "--ttl", String(TTL_S), "--", ...command];
  const program = new Program([...FIBERLB, ...args]);
  const [pid] = await until(
    `${name} listens`,
    () => program.stdout.filter((line) => /^\d+$/.test(line)),
    (lines) => lines.length > 0 || !program.isRunning,
  );
  if (pid === undefined) throw new Error(`fiberlb register ended: ${program.stderr.join("\n")}`);
  const one = { name, program, serverPid: Number(pid) };
  registered.push(one);
  return one;
}

/** As when the machine loses its power: nobody is left to say goodbye. */
async function killBoth({ program, serverPid }: Registered): Promise<void> {
  program.signal("SIGKILL");
  try {
    process.kill(serverPid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
  await program.ended;
}

/** Waits until these get new connections, and no others are meant to. */
async function untilServing(...names: string[]): Promise<void> {
  await until(
    `${names.join(", ")} serve`,
    async () => {
      const { backends = [] } = await node.api.call("BackendService/ListBackends", { poolId: lb.poolId });
      return (backends as readonly { name: string; status: string }[])
        .filter(({ status }) => status !== "BACKEND_STATUS_DRAINING")
        .map(({ name }) => name)
        .toSorted();
    },
    (answer) => answer.join() === names.join(),
  );
  await untilProvisioned(node.api, lb);
}

test("three programs that register themselves get traffic; one that is killed leaves by itself", async () => {
  const programs = await Promise.all(["a", "b", "c"].map(register));
  await untilServing("a", "b", "c");
  const counts = await tally(lb, 15);
  expect(counts).toEqual({ a: 5, b: 5, c: 5 });

  await killBoth(programs[1]!);
  await untilServing("a", "c");
  expect(await tally(lb, 10)).toEqual({ a: 5, c: 5 });

  await register("d");
  await untilServing("a", "c", "d");
  expect(await tally(lb, 15)).toEqual({ a: 5, c: 5, d: 5 });
});

test("they stay for longer than their time to live, because they renew", async () => {
  await register("a");
  await untilServing("a");
  const renewedAt = async () => {
    const { backends } = await node.api.call("BackendService/ListBackends", { poolId: lb.poolId });
    const [backend] = backends as readonly { id: string; createdAt: string }[];
    return backend;
  };
  const first = await renewedAt();
  const endOfLife = Date.parse(first!.createdAt) + 2 * TTL_S * 1000;
  await until("two lifetimes have passed", () => Date.now() > endOfLife, Boolean);
  expect(await renewedAt()).toEqual(first);
  expect(await tally(lb, 3)).toEqual({ a: 3 });
});

test("SIGTERM takes a program out of service, lets its connections end, and only then reaches it", async () => {
  const a = await register("a");
  await untilServing("a");
  const held = await EchoClient.open(lb);
  expect(held.server).toBe("a");
  await register("b");
  await untilServing("a", "b");

  a.program.signal("SIGTERM");
  await until(
    "new connections go to b",
    () => tally(lb, 4),
    (counts) => counts["b"] === 4,
  );
  expect(await held.echo("still here")).toBe("still here");
  expect(a.program.stdout).not.toContain("told to stop");

  held.end();
  expect(await a.program.ended).toMatchObject({ code: 0 });
  expect(a.program.stdout).toContain("told to stop");
  await untilServing("b");
});

test("a program that ends by itself is gone at once, and its exit code is passed on", async () => {
  const a = await register("a");
  await untilServing("a");
  process.kill(a.serverPid, "SIGKILL");
  expect(await a.program.ended).toMatchObject({ code: 137 });
  await untilServing();
  expect(await tally(lb, 1)).toEqual({ ECONNRESET: 1 });
});
