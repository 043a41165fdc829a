// Starts real GoBGP daemons. Each has its API on a unix socket in a temporary folder, and may be in a network namespace.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import path from "node:path";

import type { Target } from "../../src/gobgp/target.ts";

/** A generation of GoBGP to test with, by Debian's release that has it. */
export interface GobgpRelease {
  readonly version: string;
  readonly program: "gobgpd-bookworm" | "gobgpd-trixie" | "gobgpd-sid";
  readonly generation: 3 | 4;
  readonly hasBfd: boolean;
}

/** Debian 12's. */
export const gobgp310: GobgpRelease = { version: "3.10", program: "gobgpd-bookworm", generation: 3, hasBfd: false };
/** Debian 13's. */
export const gobgp336: GobgpRelease = { version: "3.36", program: "gobgpd-trixie", generation: 3, hasBfd: false };
/** Debian unstable's. */
export const gobgp4: GobgpRelease = { version: "4", program: "gobgpd-sid", generation: 4, hasBfd: true };

const bin = path.join(process.env["XDG_CACHE_HOME"] ?? path.join(homedir(), ".cache"), "fiberlb", "peers", "bin");

/** Why there is no such daemon; empty when there is. */
export const whyNoGobgpd = ({ program }: GobgpRelease): string =>
  existsSync(path.join(bin, program)) ? "" : `${program} is not there: node tools/peer-programs.ts`;

/** Where it runs. */
export interface GobgpdOptions {
  /** Network namespace; the host's when absent. */
  readonly namespace?: string;
}

/** One daemon, which can be killed, frozen and started again; {@link remove} ends it and its folder. */
export class Gobgpd {
  readonly #command: readonly string[];
  readonly #folder = mkdtempSync(path.join(tmpdir(), "gobgpd-"));
  #process: ChildProcess | undefined;

  constructor({ program }: GobgpRelease, { namespace }: GobgpdOptions = {}) {
    const prefix = namespace === undefined ? [] : ["ip", "netns", "exec", namespace];
    this.#command = [...prefix, path.join(bin, program), `--api-hosts=${this.url}`, "--pprof-disable"];
  }

  get socket(): string {
    return path.join(this.#folder, "api.sock");
  }

  get url(): string {
    return `unix://${this.socket}`;
  }

  get target(): Target {
    return { kind: "unix", path: this.socket };
  }

  /** What it wrote. */
  get log(): string {
    return readFileSync(path.join(this.#folder, "log"), "utf8");
  }

  /** Starts it, removing the socket that a killed one left behind. It answers a moment later. */
  start(): void {
    rmSync(this.socket, { force: true });
    const [program = "", ...args] = this.#command;
    const log = openSync(path.join(this.#folder, "log"), "a");
    this.#process = spawn(program, args, { stdio: ["ignore", log, log] });
    closeSync(log);
  }

  /** As if its machine were gone; its socket file stays. */
  async kill(signal: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  }

  /** It keeps its connections and answers nothing. */
  freeze(): void {
    this.#process?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#process?.kill("SIGCONT");
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
