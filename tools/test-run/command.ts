import { spawn, type ChildProcess } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** The top of the repository, without a slash at the end. */
export const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

export interface CommandOptions {
  cwd?: string;
  env?: Record<string, string>;
  /** Show the output as it comes (a long stage), instead of only when it failed. */
  live?: boolean;
  /** The process and all its children are killed after this time. */
  timeoutMs?: number;
}

export interface CommandResult {
  /** null when it was killed or could not start. */
  code: number | null;
  /** stdout and stderr, in the order in which they came. */
  output: string;
}

/** Daemons such as haproxy and nginx are in sbin, which is not on everybody's PATH. */
const PATH = [process.env["PATH"], "/usr/local/sbin", "/usr/sbin", "/sbin"].join(path.delimiter);

const running = new Set<ChildProcess>();

/** Runs a program in its own process group, without stdin, and never throws: a program that can't start has code null. */
export function run(command: string, args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const { cwd = root, env = {}, live = false, timeoutMs = 10 * 60_000 } = options;
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, PATH, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  running.add(child);
  let output = "";
  const take = (chunk: string): void => {
    output += chunk;
    if (live) process.stdout.write(chunk);
  };
  child.stdout.setEncoding("utf8").on("data", take);
  child.stderr.setEncoding("utf8").on("data", take);
  const deadline = setTimeout(() => {
    take(`\n${command} did not end within ${timeoutMs / 1000} s and was killed\n`);
    killGroup(child);
  }, timeoutMs);
  return new Promise((resolve) => {
    const finish = (code: number | null): void => {
      clearTimeout(deadline);
      running.delete(child);
      resolve({ code, output });
    };
    child.on("error", (error) => {
      take(`${command}: ${error.message}\n`);
      finish(null);
    });
    child.on("exit", () => {
      killGroup(child); // what it left behind would hold the output open
      const giveUp = setTimeout(() => [child.stdout, child.stderr].forEach((stream) => stream.destroy()), 5000);
      child.on("close", () => clearTimeout(giveUp));
    });
    child.on("close", finish);
  });
}

/** Ctrl-C must also reach the children, which are in groups of their own. */
export function killAllOnSignal(): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      for (const child of running) killGroup(child);
      process.exit(130);
    });
  }
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    child.kill("SIGKILL"); // the group is gone already, or this system has no groups
  }
}
