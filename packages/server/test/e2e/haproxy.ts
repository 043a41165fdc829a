import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";

import { until } from "./until.ts";

/** Debian puts daemons in sbin, which is not on everybody's PATH. */
const program = ["haproxy", "/usr/local/sbin/haproxy", "/usr/sbin/haproxy"].find(
  (name) => spawnSync(name, ["-v"]).error === undefined,
);

/** Why HAProxy can't be used here; empty when it can. */
export const whyNoHaproxy = program === undefined ? "haproxy is not installed" : "";

/** A HAProxy that runs. */
export interface Haproxy {
  close(): Promise<void>;
}

/** Starts HAProxy with these sections; resolves when it listens on the port. */
export async function startHaproxy(sections: string, port: number): Promise<Haproxy> {
  const folder = await mkdtemp(path.join(tmpdir(), "haproxy-"));
  const file = path.join(folder, "haproxy.cfg");
  const defaults = "defaults\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n";
  await writeFile(file, `global\n  maxconn 100\n${defaults}${sections}`);
  const child = spawn(program ?? "haproxy", ["-db", "-f", file], { stdio: ["ignore", "ignore", "pipe"] });
  let complaint = "";
  child.stderr.on("data", (bytes: Buffer) => (complaint += String(bytes)));
  await until(
    `HAProxy listens on ${port}: ${complaint}`,
    () => (child.exitCode === null ? accepts(port) : Promise.reject(new Error(`HAProxy has left: ${complaint}`))),
    Boolean,
  );
  return { close: () => ended(child).then(() => rm(folder, { recursive: true })) };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGTERM");
  await exit;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
