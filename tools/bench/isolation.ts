import { fork, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

import type { BenchTable } from "./table.ts";

/** Suites that want ports and loopback of their own, by the module that runs them. */
export type IsolatedSuite = "l4" | "udp" | "l7" | "memory";

/** What an isolated suite is told. */
export interface IsolatedOptions {
  readonly quick: boolean;
  /** Runs only what bears this in its name; empty = everything. */
  readonly only: string;
  /** Tells where FiberLB's time goes as well. */
  readonly profile: boolean;
  /** Where this runs, for the notes below a table. */
  readonly place: string;
}

/** Tables by the section of docs/benchmarks.md that each belongs to. */
export type Sections = Readonly<Record<string, BenchTable>>;

/** What the process of a suite tells when it is done. */
export interface IsolatedAnswer {
  readonly sections: Sections;
}

const ENTRY = fileURLToPath(new URL("isolated-process.ts", import.meta.url));
/** Clients, backends and balancers of the largest suite, each in a process of its own. */
const OPEN_FILES = 65_536;
const UP = 'ip link set lo up && exec "$@"';

/**
 * Runs a suite in a process of its own: in a network namespace of its own where that can be had (nothing else listens
 * there, and it goes with its last process), and with enough file descriptors where that is allowed.
 */
export async function runIsolated(suite: IsolatedSuite, options: Omit<IsolatedOptions, "place">): Promise<Sections> {
  const files = works(["prlimit", `--nofile=${OPEN_FILES}:${OPEN_FILES}`]);
  const namespace = works(["unshare", "--net", "sh", "-c", UP, "sh"]);
  const place = namespace === undefined ? "on the host's loopback" : "in a network namespace of its own";
  const node = [process.execPath, "--conditions=@fiberlb/source", "--disable-warning=ExperimentalWarning"];
  const [program = "", ...args] = [...(files ?? []), ...(namespace ?? []), ...node];
  // Each of these programs becomes the next one, so that the channel to this process stays.
  const child = fork(ENTRY, [suite, JSON.stringify({ ...options, place })], { execPath: program, execArgv: args });
  return new Promise((resolve, reject) => {
    let answer: IsolatedAnswer | undefined;
    child.on("message", (message) => (answer = message as IsolatedAnswer));
    child.on("exit", (code, signal) => {
      if (answer === undefined) reject(new Error(`Cannot run ${suite}: its process ended (${signal ?? code})`));
      else resolve(answer.sections);
    });
  });
}

/** The command's words when a program can be started through it here. */
function works(prefix: readonly string[]): readonly string[] | undefined {
  const [program = "", ...args] = prefix;
  return spawnSync(program, [...args, "true"]).status === 0 ? prefix : undefined;
}
