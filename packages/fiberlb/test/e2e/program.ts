import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { until } from "./until.ts";

/** The `fiberlb` program from the sources, as `npm start --` runs it. */
export const FIBERLB = [
  process.execPath,
  "--conditions=@fiberlb/source",
  "--disable-warning=ExperimentalWarning",
  fileURLToPath(new URL("../../src/main.ts", import.meta.url)),
] as const;

/** How a program is started. */
export interface ProgramOptions {
  /** Added to this process's environment, which is passed without its own FIBERLB_ variables. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** How a program ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
}

/** A program that runs. */
export class Program {
  readonly stdout: string[] = [];
  readonly stderr: string[] = [];
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;

  constructor([file, ...args]: readonly string[], { env = {}, cwd }: ProgramOptions = {}) {
    const inherited = Object.entries(process.env).filter(
      ([name]) => !/^(FIBERLB_|FORCE_COLOR$|NODE_OPTIONS$)/.test(name),
    );
    this.#child = spawn(file!, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...Object.fromEntries(inherited), ...env },
      cwd,
    });
    createInterface(this.#child.stdout!).on("line", (line) => this.stdout.push(line));
    createInterface(this.#child.stderr!).on("line", (line) => this.stderr.push(line));
    this.ended = once(this.#child, "close").then(([code, signal]) => ({
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
      stdout: this.stdout,
      stderr: this.stderr,
    }));
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Ends it the hard way. */
  kill(): Promise<Ended> {
    this.signal("SIGKILL");
    return this.ended;
  }

  /** Waits for a line of standard error. @throws Error when the program ends without it. */
  async untilLine(pattern: RegExp, from = 0): Promise<string> {
    const found = (): string | undefined => this.stderr.slice(from).find((line) => pattern.test(line));
    await until(
      `a line like ${pattern}`,
      () => ({ line: found() ?? "", isRunning: this.isRunning }),
      ({ line, isRunning }) => line !== "" || !isRunning,
    );
    const line = found();
    if (line === undefined) throw new Error(`ended without a line like ${pattern}:\n${this.stderr.join("\n")}`);
    return line;
  }
}

/** Runs `fiberlb` to its end. */
export const runFiberlb = (args: readonly string[], options?: ProgramOptions): Promise<Ended> =>
  new Program([...FIBERLB, ...args], options).ended;
