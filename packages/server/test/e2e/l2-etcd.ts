import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

import type { Namespace } from "../data/l4/nftables/testbed.ts";
import type { TestStore } from "./l2-store.ts";

const ETCD = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "fiberlb", "peers", "bin", "etcd");

/** Whether a real etcd can be had; `node tools/peer-programs.ts` brings it. */
export const hasEtcd = existsSync(ETCD);

/** One etcd in a namespace, which nodes reach over a network of its own. */
export class EtcdInNamespace implements TestStore {
  readonly address: { readonly etcd: string };
  readonly #host: Namespace;
  readonly #folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "fl-l2-etcd-"));
  #process: ChildProcess | undefined;

  constructor(host: Namespace, ip: string) {
    this.#host = host;
    this.address = { etcd: `http://${ip}:2379` };
  }

  async open(): Promise<void> {
    const { etcd: url } = this.address;
    const peer = url.replace("2379", "2380");
    const args = [
      ["--data-dir", join(this.#folder, "data")],
      ["--listen-client-urls", url],
      ["--advertise-client-urls", url],
      ["--listen-peer-urls", peer],
      ["--initial-advertise-peer-urls", peer],
      ["--initial-cluster", `default=${peer}`],
      ["--unsafe-no-fsync"],
    ].flat();
    const etcd = spawn("ip", ["netns", "exec", this.#host.name, ETCD, ...args], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#process = etcd;
    await new Promise<void>((resolve, reject) => {
      etcd.once("exit", (code) => reject(new Error(`etcd ended with ${code}`)));
      createInterface({ input: etcd.stderr }).on("line", (line) => line.includes("ready to serve client") && resolve());
    });
  }

  silence(): void {
    this.#process?.kill("SIGSTOP");
  }

  speak(): void {
    this.#process?.kill("SIGCONT");
  }

  async close(): Promise<void> {
    const etcd = this.#process;
    if (etcd !== undefined && etcd.exitCode === null) {
      const ended = new Promise((resolve) => etcd.once("exit", resolve));
      etcd.kill("SIGKILL");
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
