// Debian packages whose programs some tests use. `npm test` installs them where it can (root on Debian), and otherwise
// the suites that need them are skipped, each with one line. Alone: node tools/system-packages.ts
import { accessSync, constants, existsSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

import { run } from "./test-run/command.ts";
import { nothing, type Outcome, pass, type Skip } from "./test-run/outcome.ts";

/** A Debian package, the program by which its presence is seen, and the suites that are skipped without it. */
export interface SystemPackage {
  debian: string;
  program: string;
  suites: readonly string[];
}

export const systemPackages: readonly SystemPackage[] = [
  { debian: "curl", program: "curl", suites: ["API and HTTP from a foreign client"] },
  { debian: "openssl", program: "openssl", suites: ["TLS from a foreign client"] },
  { debian: "iproute2", program: "ip", suites: ["network namespaces", "virtual addresses"] },
  { debian: "nftables", program: "nft", suites: ["kernel driver"] },
  { debian: "conntrack", program: "conntrack", suites: ["kernel driver"] },
  { debian: "haproxy", program: "haproxy", suites: ["PROXY protocol against HAProxy", "bench"] },
  {
    debian: "wrk",
    program: "wrk",
    suites: ["HTTP load while backends die", "HTTP load while settings change", "bench"],
  },
  { debian: "nghttp2-client", program: "h2load", suites: ["HTTP/2 load while backends die"] },
  { debian: "nginx-light", program: "nginx", suites: ["HTTP against nginx"] },
  { debian: "bird2", program: "bird", suites: ["BGP with a router", "cluster"] },
  { debian: "iperf3", program: "iperf3", suites: ["L4 drivers with real clients", "bench"] },
  { debian: "iputils-arping", program: "arping", suites: ["direct server return: the doctor"] },
  { debian: "socat", program: "socat", suites: ["L4 drivers with real clients"] },
];

/** Debian puts daemons in sbin, which is not on everybody's PATH. */
const folders = [...(process.env["PATH"] ?? "").split(path.delimiter), "/usr/local/sbin", "/usr/sbin", "/sbin"];

/** The full path of a program, also from sbin; undefined when it is not installed. */
export function findProgram(name: string): string | undefined {
  return folders.map((folder) => path.join(folder, name)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Why packages can't be installed here; undefined when they can. */
export function cannotInstall(): string | undefined {
  if (!existsSync("/etc/debian_version") || findProgram("apt-get") === undefined) return "not on Debian";
  if (process.getuid?.() !== 0) return "not root";
  return undefined;
}

/** What installing needs of the machine; tests have one of their own. */
export interface Host {
  find: (program: string) => string | undefined;
  /** Why nothing can be installed; undefined when it can. */
  obstacle: () => string | undefined;
  /** Installs Debian packages, all or none. @returns what went wrong, undefined when nothing did */
  install: (debian: readonly string[]) => Promise<string | undefined>;
}

const thisHost: Host = { find: findProgram, obstacle: cannotInstall, install: aptInstall };

/** Installs what is missing, and says for every suite that stays without its program which one and why. */
export async function provideSystemPackages(
  { install, wanted = systemPackages }: { install: boolean; wanted?: readonly SystemPackage[] },
  host = thisHost,
): Promise<Outcome> {
  const missing = wanted.filter(({ program }) => host.find(program) === undefined);
  const skips: Skip[] = [];
  for (const [index, one] of missing.entries()) {
    const why = install
      ? (host.obstacle() ?? (await obtain(one, index === 0 ? missing : [one], host)))
      : "--no-install";
    if (why !== undefined) skips.push(skipOf(one, why));
  }
  return skips.length === 0 ? pass() : { ...nothing(), skipped: 1, skips };
}

/** Installs `together`, or, when one of them can't be had, `one` alone. @returns why there is no program */
async function obtain(one: SystemPackage, together: readonly SystemPackage[], host: Host): Promise<string | undefined> {
  if (host.find(one.program) !== undefined) return undefined; // came with an earlier one
  const groups = together.length > 1 ? [together, [one]] : [together];
  let why: string | undefined;
  for (const group of groups) {
    why = await host.install(group.map(({ debian }) => debian));
    if (host.find(one.program) !== undefined) return undefined;
  }
  return why ?? `${one.debian} has no program ${one.program}`;
}

const skipOf = ({ debian, program, suites }: SystemPackage, why: string): Skip => ({
  where: "system packages",
  name: suites.join(", "),
  reason: `needs ${program} (Debian package ${debian}), which is not installed: ${why}`,
  count: 1,
});

let listsAreFresh = false;

async function aptInstall(debian: readonly string[]): Promise<string | undefined> {
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const options = ["-o", "DPkg::Lock::Timeout=60", "-o", "Acquire::Retries=2"];
  if (!listsAreFresh) {
    await run("apt-get", [...options, "update"], { env, timeoutMs: 3 * 60_000 }); // when it fails, old lists may do
    listsAreFresh = true;
  }
  const { code, output } = await withoutStartingDaemons(() =>
    run("apt-get", [...options, "install", "-y", "--no-install-recommends", ...debian], { env, timeoutMs: 5 * 60_000 }),
  );
  if (code === 0) return undefined;
  return `apt-get: ${output.split("\n").find((line) => line.startsWith("E:")) ?? `exit code ${code}`}`;
}

/** Debian starts a daemon when its package is installed, unless this file says no; the tests start their own. */
async function withoutStartingDaemons<T>(work: () => Promise<T>): Promise<T> {
  const policy = "/usr/sbin/policy-rc.d";
  if (existsSync(policy)) return work();
  writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    return await work();
  } finally {
    rmSync(policy, { force: true });
  }
}

if (import.meta.main) {
  const { skips } = await provideSystemPackages({ install: true });
  for (const { name, reason } of skips) console.log(`${name}: ${reason}`);
  if (skips.length === 0) console.log(`installed: ${systemPackages.map(({ debian }) => debian).join(", ")}`);
}
