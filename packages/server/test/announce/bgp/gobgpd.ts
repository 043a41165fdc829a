import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";

/** Generations of GoBGP's API, by Debian's release that has it; tools/peer-programs.ts brings them. */
export const gobgpGenerations = [
  { version: "3.10", program: "gobgpd-bookworm" },
  { version: "4", program: "gobgpd-sid" },
] as const;

const programPath = (program: string): string =>
  join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "fiberlb", "peers", "bin", program);

/** Why a daemon can't be started here; empty when it can. */
export function whyNoGobgpd(program: string): string {
  if (process.getuid?.() !== 0) return "VIPs need root";
  return existsSync(programPath(program)) ? "" : `${program} is not there: node tools/peer-programs.ts`;
}

/** A GoBGP daemon with nothing configured, its API on a socket of its own. */
export class Gobgpd {
  readonly socket: string;
  readonly #folder = mkdtempSync(join(tmpdir(), "fiberlb-gobgpd-"));
  readonly #program: string;
  #process: ChildProcess | undefined;

  constructor(program: string) {
    this.#program = program;
    this.socket = join(this.#folder, "api.sock");
  }

  /** For `bgp.gobgp`. */
  get url(): string {
    return `unix://${this.socket}`;
  }

  /** It answers a moment later. */
  start(): void {
    // One that was killed leaves it behind.
    rmSync(this.socket, { force: true });
    this.#process = spawn(programPath(this.#program), [`--api-hosts=${this.url}`, "--pprof-disable"], {
      stdio: "ignore",
    });
  }

  async kill(): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
