// Daemons that some tests talk to and that Debian 12 has not, or not in every generation that we serve. Their packages are
// downloaded from other suites of the same Debian mirror, with lists of their own, and unpacked into a cache folder:
// nothing of the system changes. `npm test` does it where it can; alone: node tools/peer-programs.ts
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";

import { findProgram } from "./system-packages.ts";
import { type CommandResult, run } from "./test-run/command.ts";
import { nothing, type Outcome, pass, type Skip } from "./test-run/outcome.ts";

/** A program out of a package of one of Debian's suites, the name it gets here, and the suites skipped without it. */
export interface PeerProgram {
  readonly debian: string;
  readonly from: "bookworm" | "trixie" | "sid";
  /** Where the package has it. */
  readonly file: string;
  /** What tests call it. */
  readonly name: string;
  readonly suites: readonly string[];
}

export const peerPrograms: readonly PeerProgram[] = [
  { debian: "etcd-server", from: "sid", file: "usr/bin/etcd", name: "etcd", suites: ["etcd store", "cluster"] },
  { debian: "etcd-server", from: "sid", file: "usr/bin/etcdutl", name: "etcdutl", suites: ["cluster"] },
  { debian: "etcd-client", from: "sid", file: "usr/bin/etcdctl", name: "etcdctl", suites: ["etcd store", "cluster"] },
  { debian: "gobgpd", from: "bookworm", file: "usr/bin/gobgpd", name: "gobgpd-bookworm", suites: ["GoBGP 3.10"] },
  { debian: "gobgpd", from: "trixie", file: "usr/bin/gobgpd", name: "gobgpd-trixie", suites: ["GoBGP 3.36"] },
  { debian: "gobgpd", from: "sid", file: "usr/bin/gobgpd", name: "gobgpd-sid", suites: ["GoBGP 4", "cluster"] },
];

/** Outlives checkouts; remove it to get newer versions. Tests find the programs in its folder `bin`. */
export const peerFolder = path.join(
  process.env["XDG_CACHE_HOME"] ?? path.join(homedir(), ".cache"),
  "fiberlb",
  "peers",
);

/** The full path of a program that {@link providePeerPrograms} has brought, or would bring. */
export const peerProgram = (name: string): string => path.join(peerFolder, "bin", name);

/** Brings what is missing, and says for every suite that stays without its program which one and why. */
export async function providePeerPrograms({ install }: { readonly install: boolean }): Promise<Outcome> {
  const skips: Skip[] = [];
  for (const wanted of peerPrograms) {
    if (existsSync(peerProgram(wanted.name))) continue;
    const why = install ? (obstacle() ?? (await obtain(wanted))) : "--no-install";
    if (why !== undefined) skips.push(skipOf(wanted, why));
  }
  return skips.length === 0 ? pass() : { ...nothing(), skipped: 1, skips };
}

function obstacle(): string | undefined {
  const missing = ["apt-get", "dpkg-deb"].find((program) => findProgram(program) === undefined);
  return missing === undefined ? undefined : `not on Debian: no ${missing}`;
}

const skipOf = ({ debian, from, name, suites }: PeerProgram, why: string): Skip => ({
  where: "peer programs",
  name: suites.join(", "),
  reason: `needs ${name} (Debian package ${debian} of ${from}), which is not there: ${why}`,
  count: 1,
});

/** Downloads and unpacks one package. @returns why there is no program */
async function obtain({ debian, from, file, name }: PeerProgram): Promise<string | undefined> {
  const unpacked = path.join(peerFolder, `${debian}-${from}`);
  if (!existsSync(path.join(unpacked, file))) {
    const why = await unpack(debian, from, unpacked);
    if (why !== undefined) return why;
  }
  if (!existsSync(path.join(unpacked, file))) return `${debian} of ${from} has no ${file}`;
  mkdirSync(path.dirname(peerProgram(name)), { recursive: true });
  rmSync(peerProgram(name), { force: true }); // one that points nowhere
  symlinkSync(path.join(unpacked, file), peerProgram(name));
  return undefined;
}

async function unpack(debian: string, from: string, target: string): Promise<string | undefined> {
  const lists = await freshLists(from);
  if (typeof lists === "string") return lists;
  const folder = `${target}.new`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const options = { cwd: folder, timeoutMs: 5 * 60_000 };
  const download = await run("apt-get", [...lists.options, "download", `${debian}/${from}`], options);
  const archive = readdirSync(folder).find((entry) => entry.endsWith(".deb"));
  if (archive === undefined) return complaint(download);
  const unpacking = await run("dpkg-deb", ["--extract", archive, "."], options);
  if (unpacking.code !== 0) return complaint(unpacking);
  rmSync(path.join(folder, archive));
  rmSync(target, { recursive: true, force: true });
  renameSync(folder, target); // whole or not there
  return undefined;
}

const complaint = ({ code, output }: CommandResult): string =>
  output.split("\n").find((line) => line.startsWith("E:") || line.includes("error")) ?? `exit code ${code}`;

interface Lists {
  /** For apt-get: these lists and no others. */
  readonly options: readonly string[];
}

const listsBySuite = new Map<string, Lists | string>();

/** Lists of one suite, apart from the system's. @returns why they cannot be had, when they cannot */
async function freshLists(from: string): Promise<Lists | string> {
  const known = listsBySuite.get(from);
  if (known !== undefined) return known;
  const lists = await readLists(from);
  listsBySuite.set(from, lists);
  return lists;
}

async function readLists(from: string): Promise<Lists | string> {
  const folder = path.join(peerFolder, `lists-${from}`);
  mkdirSync(path.join(folder, "lists", "partial"), { recursive: true });
  mkdirSync(path.join(folder, "archives", "partial"), { recursive: true });
  const sources = path.join(folder, "debian.sources");
  const keys = "/usr/share/keyrings/debian-archive-keyring.gpg";
  const signed = existsSync(keys) ? `Signed-By: ${keys}\n` : "";
  writeFileSync(sources, `Types: deb\nURIs: ${await mirror()}\nSuites: ${from}\nComponents: main\n${signed}`);
  const options = [
    ["Dir::Etc::sourcelist", sources],
    ["Dir::Etc::sourceparts", "-"],
    ["Dir::Etc::preferencesparts", "-"],
    ["Dir::State::Lists", path.join(folder, "lists")],
    ["Dir::Cache", folder],
    ["Acquire::Languages", "none"],
    ["Acquire::Retries", "2"],
    ["APT::Sandbox::User", "root"],
  ].flatMap(([key, value]) => ["-o", `${key}=${value}`]);
  const update = await run("apt-get", [...options, "update"], { timeoutMs: 3 * 60_000 });
  return update.code === 0 ? { options } : complaint(update);
}

/** Where this system has Debian from. */
async function mirror(): Promise<string> {
  const { output } = await run("apt-get", ["indextargets", "--format", "$(REPO_URI) $(LABEL)", "Created-By: Packages"]);
  const line = output.split("\n").find((candidate) => candidate.endsWith(" Debian"));
  return line?.split(" ")[0] ?? "http://deb.debian.org/debian";
}

if (import.meta.main) {
  const { skips } = await providePeerPrograms({ install: true });
  for (const { name, reason } of skips) console.log(`${name}: ${reason}`);
  if (skips.length === 0)
    console.log(`in ${path.join(peerFolder, "bin")}: ${peerPrograms.map(({ name }) => name).join(", ")}`);
}
