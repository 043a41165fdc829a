// One machine of the lab.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { onMachine, startMachine } from "./machine.ts";
import { inNamespace, namespaceOf } from "./namespaces.ts";

/** What a script left behind. */
export interface Finished {
  readonly code: number | null;
  /** Standard output and standard error as they came. */
  readonly output: string;
}

/** What all machines of a lab share. */
export interface LabFolders {
  /** Holds a folder for each machine. */
  readonly folder: string;
  /** Programs that are on top of /usr/bin. */
  readonly bin: string;
}

type Env = Readonly<Record<string, string>>;

/** How a script is run. */
export interface ShellOptions {
  /** It is killed after this time. Default two minutes. */
  readonly timeoutMs?: number;
  readonly env?: Env;
}

/** A machine of the lab. */
export class Host {
  readonly name: string;
  readonly #lab: LabFolders;
  readonly #holder: ChildProcess;

  private constructor(name: string, lab: LabFolders, holder: ChildProcess) {
    this.name = name;
    this.#lab = lab;
    this.#holder = holder;
  }

  /** Makes a machine of a namespace that is there. */
  static async start(name: string, lab: LabFolders): Promise<Host> {
    const own = join(lab.folder, name);
    const holder = await startMachine(inNamespace(namespaceOf(name)), name, { own, bin: lab.bin });
    writeFileSync(join(lab.folder, `${name}.pid`), `${holder.pid}\n`); // for the lab's ssh
    return new Host(name, lab, holder);
  }

  /** A file of the machine as this process can reach it; of its own folders only, see machine.ts. */
  path(absolute: string): string {
    return join(this.#lab.folder, this.name, absolute);
  }

  /** Starts a command line there; what it prints goes to `log`. The process is the program's own. */
  start(command: readonly string[], { log, env = {} }: { readonly log: string; readonly env?: Env }): ChildProcess {
    const file = this.path(log);
    mkdirSync(dirname(file), { recursive: true });
    const output = openSync(file, "a");
    const child = this.#spawn(command, ["ignore", output, output], env);
    closeSync(output);
    return child;
  }

  /** Starts a script of ours that speaks over IPC. */
  fork(script: string, args: readonly string[]): ChildProcess {
    return this.#spawn([process.execPath, script, ...args], ["ignore", "inherit", "inherit", "ipc"], {});
  }

  /** Runs a shell script, as somebody who is logged in as root would type it. */
  async shell(script: string, { timeoutMs = 120_000, env = {} }: ShellOptions = {}): Promise<Finished> {
    const child = this.#spawn(["bash", "-euo", "pipefail", "-c", script], ["ignore", "pipe", "pipe"], env);
    let output = "";
    for (const stream of [child.stdout!, child.stderr!])
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
    const how = code === null ? "took too long and was killed" : `exit code ${code}`;
    throw new Error(`on ${this.name}: ${how}:\n${script.trim()}\n--- it printed\n${output.trim()}`);
  }

  /** Ends the machine; what runs on it is ended by whoever started it. */
  close(): void {
    this.#holder.kill("SIGKILL");
  }

  #spawn(
    command: readonly string[],
    stdio: readonly (number | "ignore" | "pipe" | "inherit" | "ipc")[],
    env: Env,
  ): ChildProcess {
    const [program = "", ...args] = [...onMachine(this.#holder.pid!), ...command];
    return spawn(program, args, { stdio: [...stdio], env: this.#environment(env) });
  }

  #environment(env: Env): NodeJS.ProcessEnv {
    const inherited = Object.entries(process.env).filter(
      ([key]) => !/^(FIBERLB_|ETCD|NODE_OPTIONS$|FORCE_COLOR$)/.test(key),
    );
    const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    const place = { LAB_HOST: this.name, LAB_FOLDER: this.#lab.folder };
    return { ...Object.fromEntries(inherited), ...place, HOME: "/etc/fiberlb", PATH, ...env };
  }
}
