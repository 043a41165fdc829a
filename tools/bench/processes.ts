import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** The core that whatever is measured has for itself. */
export const BALANCER_CORE = 0;
/** The core that load and backends share. */
export const LOAD_CORE = Math.min(1, availableParallelism() - 1);
const MICROS_PER_TICK = 10_000;

/** Whether a program is installed. */
export function isInstalled(program: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
}

const hasTaskset = isInstalled("taskset");

/** A command that runs on that core only, where this can be had; `taskset` becomes the program that it starts. */
export const pinned = (core: number, command: readonly string[]): readonly string[] =>
  hasTaskset ? ["taskset", "-c", String(core), ...command] : command;

/** Programs that a suite starts, and the files they read. Ends what it started. */
export class Processes {
  /** Gone after {@link close}. */
  readonly folder = mkdtempSync(join(tmpdir(), "fiberlb-bench-"));
  readonly #started: ChildProcess[] = [];

  /** Starts a command on one core; the process is the program's own. Its stdout is piped. */
  start(core: number, command: readonly string[]): ChildProcess {
    const [program = "", ...args] = pinned(core, command);
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
    this.#started.push(child);
    return child;
  }

  /** Runs a command on one core to its end. @returns what it printed. */
  async run(core: number, command: readonly string[]): Promise<string> {
    const child = this.start(core, command);
    let output = "";
    child.stdout?.on("data", (text: Buffer) => (output += text.toString()));
    await once(child, "close");
    this.#started.splice(this.#started.indexOf(child), 1);
    return output;
  }

  /** Writes a file into the folder. @returns its path. */
  file(name: string, content: string | Uint8Array): string {
    const path = join(this.folder, name);
    writeFileSync(path, content);
    return path;
  }

  async close(): Promise<void> {
    for (const child of this.#started) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Waits until something listens. @throws Error when nothing does after 5 seconds. */
export async function untilListening(port: number, host = "127.0.0.1"): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    if (await answers(port, host)) return;
    await sleep(50);
  }
  throw new Error(`Nothing listens on ${host}:${port} after 5 s`);
}

function answers(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, host, () => resolve(true)).on("error", () => resolve(false));
    socket.on("connect", () => socket.destroy());
  });
}

/** Ports that are free now. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => net.createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as net.AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}

/** CPU time of a process, all of its threads. */
export interface CpuTimes {
  readonly userUs: number;
  readonly systemUs: number;
}

/** CPU time so far: fields 14 and 15 of /proc/PID/stat, in ticks of 10 ms. */
export function cpuTimes(pid: number): CpuTimes {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { userUs: Number(fields[11]) * MICROS_PER_TICK, systemUs: Number(fields[12]) * MICROS_PER_TICK };
}
