// The programs that the runbook's commands find in the lab: real ones, and small stand-ins for what ties machines together.
import { chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { peerProgram } from "../peer-programs.ts";
import { findProgram } from "../system-packages.ts";

const MAIN = fileURLToPath(new URL("../../packages/fiberlb/src/main.ts", import.meta.url));

/** `fiberlb` from the sources, without npm in between. */
export const FIBERLB = [
  process.execPath,
  "--conditions=@fiberlb/source",
  "--disable-warning=ExperimentalWarning",
  MAIN,
] as const;

/** Newer than Debian 12 has: name here → name in the cache of peer programs. */
const PEERS = { etcd: "etcd", etcdctl: "etcdctl", etcdutl: "etcdutl", gobgpd: "gobgpd-sid" } as const;

/** Of the system: program → Debian package. */
const SYSTEM = {
  bird: "bird2",
  openssl: "openssl",
  curl: "curl",
  setpriv: "util-linux",
  nsenter: "util-linux",
} as const;

/** What the lab needs and this machine has not, each with where it is from; empty when it has everything. */
export function missingPrograms(): readonly string[] {
  const peers = Object.entries(PEERS).flatMap(([name, cached]) =>
    existsSync(peerProgram(cached)) ? [] : [`${name} (${peerProgram(cached)}; node tools/peer-programs.ts brings it)`],
  );
  const system = Object.entries(SYSTEM).flatMap(([name, debian]) =>
    findProgram(name) === undefined ? [`${name} (Debian package ${debian})`] : [],
  );
  return [...peers, ...system];
}

const quoted = (words: readonly string[]): string => words.map((word) => `'${word}'`).join(" ");

/** `systemctl VERB [--now] UNIT…`, answered by the process that runs the lab. */
const SYSTEMCTL = `#!/bin/bash
verb=$1; shift
[ "$verb" = daemon-reload ] && exit 0
for unit in "$@"; do
  case $unit in -*) continue ;; esac
  curl -sS --fail-with-body --unix-socket "$LAB_FOLDER/systemctl.sock" -X POST "http://lab/$LAB_HOST/$verb/\${unit%.service}" || exit 1
done
`;

/** `scp [-r] FILE… HOST:FOLDER`: machines are folders here. */
const SCP = `#!/bin/bash
set -e
[ "$1" = -r ] && shift
target=\${@: -1}
files=("\${@:1:$#-1}")
folder=$LAB_FOLDER/\${target%%:*}\${target#*:}
exec cp -r -- "\${files[@]}" "$folder"
`;

/** `ssh HOST COMMAND…` */
const SSH = `#!/bin/bash
host=$1; shift
pid=$(cat "$LAB_FOLDER/$host.pid") || { echo "ssh: no such machine: $host" >&2; exit 255; }
LAB_HOST=$host exec nsenter --target="$pid" --net --mount --uts --wd=/ bash -c "$*"
`;

/** Writes the folder of programs. */
export function writePrograms(bin: string): void {
  mkdirSync(bin, { recursive: true });
  for (const [name, cached] of Object.entries(PEERS)) symlinkSync(peerProgram(cached), join(bin, name));
  const scripts = { fiberlb: `#!/bin/sh\nexec ${quoted(FIBERLB)} "$@"\n`, systemctl: SYSTEMCTL, scp: SCP, ssh: SSH };
  for (const [name, text] of Object.entries(scripts)) {
    writeFileSync(join(bin, name), text);
    chmodSync(join(bin, name), 0o755);
  }
}
