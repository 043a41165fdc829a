// What systemd is on a real machine: starts and stops what a host's unit files say, when the runbook types `systemctl`.
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";

import type { Host } from "./host.ts";
import { parseUnit, scriptOf } from "./unit-file.ts";

/** Longer than a drain may take. */
const STOP_TIMEOUT_MS = 40_000;

/** Of a log's lines, no more is shown. */
const LINE_LENGTH = 300;

/** The daemons of one host. */
export class Units {
  readonly #host: Host;
  readonly #running = new Map<string, ChildProcess>();
  /** Environment that a unit gets beside what its file says; for variations that the runbook does not speak of. */
  readonly overrides = new Map<string, Readonly<Record<string, string>>>();

  constructor(host: Host) {
    this.#host = host;
  }

  isActive(unit: string): boolean {
    return this.#alive(unit) !== undefined;
  }

  /** The process of a unit. @throws Error when it does not run */
  pid(unit: string): number {
    const pid = this.#alive(unit)?.pid;
    if (pid === undefined) throw new Error(`${unit} does not run on ${this.#host.name}`);
    return pid;
  }

  /** Starts a unit that is not running. @throws Error when there is no such unit */
  start(unit: string): void {
    if (this.isActive(unit)) return;
    const file = this.#host.path(`/etc/systemd/system/${unit}.service`);
    if (!existsSync(file)) throw new Error(`Unit ${unit}.service not found on ${this.#host.name}`);
    const script = scriptOf(parseUnit(readFileSync(file, "utf8")));
    const env = this.overrides.get(unit) ?? {};
    this.#running.set(unit, this.#host.start(["bash", "-euc", script], { log: logOf(unit), env }));
  }

  /** Ends it in order (SIGTERM), and the hard way when it takes too long. */
  async stop(unit: string): Promise<void> {
    await this.#end(unit, "SIGTERM");
  }

  /** Ends it as a crash would. */
  async kill(unit: string): Promise<void> {
    await this.#end(unit, "SIGKILL");
  }

  /** SIGSTOP, SIGCONT, SIGHUP. */
  signal(unit: string, signal: NodeJS.Signals): void {
    this.#alive(unit)?.kill(signal);
  }

  async killAll(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((unit) => this.kill(unit)));
  }

  /** The end of what a unit printed. */
  log(unit: string, lines = 20): string {
    const file = this.#host.path(logOf(unit));
    if (!existsSync(file)) return "";
    const all = readFileSync(file, "utf8").trimEnd().split("\n");
    return all
      .slice(-lines)
      .map((line) => line.slice(0, LINE_LENGTH))
      .join("\n");
  }

  /** The units that were ever started here. */
  get names(): readonly string[] {
    return [...this.#running.keys()];
  }

  #alive(unit: string): ChildProcess | undefined {
    const child = this.#running.get(unit);
    return child !== undefined && child.exitCode === null && child.signalCode === null ? child : undefined;
  }

  async #end(unit: string, signal: NodeJS.Signals): Promise<void> {
    const child = this.#alive(unit);
    if (child === undefined) return;
    const ended = once(child, "exit");
    child.kill(signal);
    child.kill("SIGCONT"); // one that was stopped by SIGSTOP takes no SIGTERM
    const deadline = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await ended;
    clearTimeout(deadline);
  }
}

const logOf = (unit: string): string => `/var/log/${unit}.log`;
