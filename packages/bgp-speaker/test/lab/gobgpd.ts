// Starts real GoBGP daemons. Each has its API on a unix socket in a temporary folder, and may be in a network namespace.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import path from "node:path";

import type { Target } from "../../src/gobgp/target.ts";
import { TEST_CERTIFICATE, TEST_KEY } from "./tls-fixture.ts";

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
  /** Has its API on this TCP port of 127.0.0.1, with TLS, instead of the socket; 4.x asks clients for a certificate. */
  readonly tlsPort?: number;
}

/** A TCP port that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** One daemon, which can be killed, frozen and started again; {@link remove} ends it and its folder. */
export class Gobgpd {
  readonly #command: readonly string[];
  readonly #folder = mkdtempSync(path.join(tmpdir(), "gobgpd-"));
  #process: ChildProcess | undefined;

  constructor({ program, generation }: GobgpRelease, { namespace, tlsPort }: GobgpdOptions = {}) {
    const prefix = namespace === undefined ? [] : ["ip", "netns", "exec", namespace];
    const api = tlsPort === undefined ? [`--api-hosts=${this.url}`] : this.#tlsApi(tlsPort, generation === 4);
    this.#command = [...prefix, path.join(bin, program), ...api, "--pprof-disable"];
  }

  #tlsApi(port: number, mutual: boolean): string[] {
    const [certificate, key] = [path.join(this.#folder, "tls.crt"), path.join(this.#folder, "tls.key")];
    writeFileSync(certificate, TEST_CERTIFICATE);
    writeFileSync(key, TEST_KEY, { mode: 0o600 });
    const tls = ["--tls", `--tls-cert-file=${certificate}`, `--tls-key-file=${key}`];
    return [`--api-hosts=127.0.0.1:${port}`, ...tls, ...(mutual ? [`--tls-client-ca-file=${certificate}`] : [])];
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

  /** Waits until its API can be connected to. */
  async untilListening(): Promise<void> {
    const folder = watch(this.#folder);
    while (!(await this.#accepts())) {
      // There is a moment between a socket's file and its listening, of which nothing tells.
      if (!existsSync(this.socket)) await once(folder, "change");
    }
    folder.close();
  }

  #accepts(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect({ path: this.socket }, () => {
        socket.destroy();
        resolve(true);
      });
      socket.on("error", () => resolve(false));
    });
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
