// Network namespaces of one run: their names carry the process that made them, so that what a dead run left is seen.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";

const PREFIX = "flb";
const FOLDER = "/run/netns";

/** The name of a host's namespace. */
export const namespaceOf = (host: string, pid = process.pid): string => `${PREFIX}${pid}-${host}`;

/** Runs a program to its end. @throws Error with what it complained about */
export function runSync([program = "", ...args]: readonly string[], input = ""): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: "utf8", input });
  if (error !== undefined) throw new Error(`Cannot run ${program}: ${error.message}`);
  if (status !== 0) throw new Error(`${[program, ...args].join(" ")}: ${(stderr || stdout).trim()}`);
  return stdout;
}

/** Runs lines of `ip` in one go, in a namespace or, without one, on the host. */
export function ipBatch(lines: readonly string[], namespace?: string): void {
  const inside = namespace === undefined ? [] : ["-n", namespace];
  if (lines.length > 0) runSync(["ip", ...inside, "-batch", "-"], `${lines.join("\n")}\n`);
}

/** What stands before a command line that is to run in a namespace; it ends when this process does. */
export const inNamespace = (namespace: string): readonly string[] => [
  "ip",
  "netns",
  "exec",
  namespace,
  "setpriv",
  "--pdeathsig=KILL",
];

/** Whether files can be laid over the machine's own, in memory. */
const OVERLAY_TRIAL =
  "mount -t tmpfs tmpfs /mnt; mkdir /mnt/u /mnt/w; mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/u,workdir=/mnt/w /etc";

/** Why this process can make no namespaces; empty when it can. */
export function whyNoNamespaces(): string {
  if (process.platform !== "linux") return "needs Linux network namespaces";
  if (process.getuid?.() !== 0) return "needs root";
  const trial = namespaceOf("trial");
  try {
    runSync(["ip", "netns", "add", trial]);
    runSync(["ip", "netns", "del", trial]);
    runSync(["unshare", "--mount", "--uts", "bash", "-ec", OVERLAY_TRIAL]);
    return "";
  } catch (error) {
    return `this host allows no network namespace, or no overlay in it: ${(error as Error).message}`;
  }
}

/** Namespaces of this process, or of one that is no more. */
export function namespacesOf(pid: number): readonly string[] {
  return all().flatMap(({ name, owner }) => (owner === pid ? [name] : []));
}

function all(): readonly { readonly name: string; readonly owner: number }[] {
  let names: readonly string[];
  try {
    names = readdirSync(FOLDER);
  } catch {
    return []; // no namespace was ever made here
  }
  return names.flatMap((name) => {
    const owner = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
    return owner === undefined ? [] : [{ name, owner: Number(owner) }];
  });
}

/** Ends every process in them and removes them. Never throws: it is what runs when all else has failed. */
export function removeNamespaces(names: readonly string[]): void {
  for (const name of names) {
    for (const pid of processesIn(name)) killQuietly(pid);
    spawnSync("ip", ["netns", "del", name]);
  }
}

/** Removes what runs left that were killed. @returns the names of what it removed */
export function sweepDeadRuns(): readonly string[] {
  const dead = all().filter(({ owner }) => !isAlive(owner));
  const names = dead.map(({ name }) => name);
  removeNamespaces(names);
  return names;
}

const processesIn = (namespace: string): readonly number[] =>
  spawnSync("ip", ["netns", "pids", namespace], { encoding: "utf8" }).stdout.split("\n").filter(Boolean).map(Number);

function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // it ended by itself in between
  }
}

/** Whether there is such a process. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
