// One machine of the lab: a namespace and a folder that stands for its disk.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname, join } from "node:path";

import { inNamespace, namespaceOf } from "./namespaces.ts";

/** What a script left behind. */
export interface Finished {
  readonly code: number | null;
  /** Standard output and standard error as they came. */
  readonly output: string;
}

/** What all hosts of a lab share. */
export interface LabFolders {
  /** Holds a folder for each host. */
  readonly folder: string;
  /** Programs as the runbook names them; first in PATH, and instead of /usr/bin. */
  readonly bin: string;
}

/**
 * Absolute paths of a command line that are not the machine's but the host's: below /etc, /var and /run. Only where a path
 * begins: not in `lb-1:/etc` (another host) nor in `/tmp/var`.
 */
const HOST_PATHS = /(?<=^|[\s"'=,([{<>`@]|:\/\/)\/(etc|var|run)(?=\/)/gm;

/** A machine of the lab. */
export class Host {
  readonly name: string;
  /** What stands for its `/`. */
  readonly root: string;
  readonly #lab: LabFolders;

  constructor(name: string, lab: LabFolders) {
    this.name = name;
    this.root = join(lab.folder, name);
    this.#lab = lab;
    for (const folder of [
      "etc/fiberlb",
      "etc/systemd/system",
      "etc/sysctl.d",
      "etc/bird",
      "var/lib",
      "var/log",
      "var/backups",
      "run",
    ])
      mkdirSync(join(this.root, folder), { recursive: true });
  }

  get namespace(): string {
    return namespaceOf(this.name);
  }

  /** A path of the host as this machine has it. */
  path(absolute: string): string {
    return join(this.root, absolute);
  }

  /** A command line or a file of the runbook with the paths of this host. */
  localized(text: string): string {
    return text.replaceAll(HOST_PATHS, `${this.root}/$1`).replaceAll(/(?<![\w.])\/usr\/bin\//g, `${this.#lab.bin}/`);
  }

  /** Starts a command line in the namespace; what it prints goes to `log`. The process is the program's own. */
  start(command: readonly string[], { log, env = {} }: { readonly log: string; readonly env?: Env }): ChildProcess {
    const file = this.path(log);
    mkdirSync(dirname(file), { recursive: true });
    const output = openSync(file, "a");
    const [program = "", ...args] = [...inNamespace(this.namespace), ...command];
    const child = spawn(program, args, { stdio: ["ignore", output, output], env: this.#environment(env) });
    closeSync(output);
    return child;
  }

  /** Starts a script of ours that speaks over IPC. */
  fork(script: string, args: readonly string[]): ChildProcess {
    const [program = "", ...rest] = [...inNamespace(this.namespace), process.execPath, script, ...args];
    return spawn(program, rest, { stdio: ["ignore", "inherit", "inherit", "ipc"], env: this.#environment({}) });
  }

  /** Runs a shell script, as somebody who is logged in as root would type it. */
  async shell(script: string, { timeoutMs = 120_000, env = {} }: ShellOptions = {}): Promise<Finished> {
    const command = ["bash", "-euo", "pipefail", "-c", this.localized(script)];
    const [program = "", ...args] = [...inNamespace(this.namespace), ...command];
    const child = spawn(program, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: this.#environment(env),
      cwd: this.root,
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (output += text));
    const deadline = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
    const [code] = (await once(child, "close")) as [number | null];
    clearTimeout(deadline);
    return { code, output };
  }

  /** As {@link shell}. @throws Error with the script and what it printed when it fails */
  async mustRun(script: string, options?: ShellOptions): Promise<string> {
    const { code, output } = await this.shell(script, options);
    if (code === 0) return output;
    throw new Error(
      `on ${this.name}: exit code ${code ?? "none: killed"} of\n${script.trim()}\n--- it printed\n${output.trim()}`,
    );
  }

  #environment(env: Env): NodeJS.ProcessEnv {
    const inherited = Object.entries(process.env).filter(
      ([key]) => !/^(FIBERLB_|ETCD|NODE_OPTIONS$|FORCE_COLOR$)/.test(key),
    );
    const PATH = `${this.#lab.bin}:${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;
    const place = { LAB_HOST: this.name, LAB_FOLDER: this.#lab.folder };
    return { ...Object.fromEntries(inherited), ...place, HOME: this.root, PATH, ...env };
  }
}

type Env = Readonly<Record<string, string>>;

/** How a script is run. */
export interface ShellOptions {
  /** It is killed after this time. Default two minutes. */
  readonly timeoutMs?: number;
  readonly env?: Env;
}
