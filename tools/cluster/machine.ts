// What makes a namespace look like a machine of its own: a name, and files of its own where the runbook has files.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** Folders of which every machine has its own; all others are those of this machine. */
const OWN_FOLDERS = [
  "etc/fiberlb",
  "etc/bird",
  "etc/systemd/system",
  "etc/sysctl.d",
  "var/backups",
  "var/lib/etcd",
  "var/lib/fiberlb",
  "var/log",
  "run/bird",
  "run/fiberlb",
  "run/gobgp",
] as const;

/**
 * Writes below /etc, /var and /run stay in memory and are gone with the machine; /usr/bin has the lab's programs on top; the own
 * folders are bound from the machine's folder, so that this process can look into them.
 */
const MOUNTS = `set -e
own=$1; bin=$2; name=$3; shift 3
mount --make-rprivate /
mkdir -p "$own/.writes"
mount -t tmpfs tmpfs "$own/.writes"
for top in etc var run; do
  mkdir -p "$own/.writes/$top" "$own/.writes/.$top"
  mount -t overlay overlay -o "lowerdir=/$top,upperdir=$own/.writes/$top,workdir=$own/.writes/.$top" "/$top"
done
mount -t overlay overlay -o "lowerdir=$bin:/usr/bin" /usr/bin
for folder in "$@"; do mkdir -p "/$folder"; mount --bind "$own/$folder" "/$folder"; done
hostname "$name"
echo ready
exec sleep infinity
`;

/** Where a machine's own files are, and whose programs it has. */
export interface MachineFolders {
  /** Stands for its own folders. */
  readonly own: string;
  /** Programs on top of those in /usr/bin. */
  readonly bin: string;
}

/**
 * Starts the process that holds a machine's mounts and name, in a network namespace; it ends with this process.
 * @throws Error with what the kernel refused
 */
export function startMachine(
  prefix: readonly string[],
  name: string,
  { own, bin }: MachineFolders,
): Promise<ChildProcess> {
  for (const folder of OWN_FOLDERS) mkdirSync(join(own, folder), { recursive: true });
  const [program, ...args] = [
    ...prefix,
    "unshare",
    "--mount",
    "--uts",
    "bash",
    "-c",
    MOUNTS,
    "machine",
    own,
    bin,
    name,
  ];
  const holder = spawn(program, [...args, ...OWN_FOLDERS], { stdio: ["ignore", "pipe", "pipe"] });
  let complaint = "";
  holder.stderr.setEncoding("utf8").on("data", (text: string) => (complaint += text));
  return new Promise((resolve, reject) => {
    createInterface(holder.stdout).once("line", () => resolve(holder));
    holder.once("error", reject);
    holder.once("exit", () => reject(new Error(`Cannot make the machine ${name}: ${complaint.trim()}`)));
  });
}

/** What stands before a command line that is to run on a machine; it ends when this process does. */
export const onMachine = (holder: number): readonly string[] => [
  "nsenter",
  `--target=${holder}`,
  "--net",
  "--mount",
  "--uts",
  "--wd=/var/lib",
  "setpriv",
  "--pdeathsig=KILL",
];
