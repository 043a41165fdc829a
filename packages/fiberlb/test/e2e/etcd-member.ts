import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

import { freePort } from "./echo-server.ts";
import { newFolder } from "./node-process.ts";
import { Program } from "./program.ts";

const ETCD = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "fiberlb", "peers", "bin", "etcd");

/** Why tests with etcd cannot run here; empty when they can. */
export const whyNoEtcd = existsSync(ETCD) ? "" : `${ETCD} is missing: node tools/peer-programs.ts`;

/** A cluster of one member, which can be killed and started again with what it had. */
export class EtcdMember {
  readonly url: string;
  readonly folder = newFolder();
  readonly #peerUrl: string;
  #program: Program | undefined;

  private constructor(ports: { readonly client: number; readonly peer: number }) {
    this.url = `http://127.0.0.1:${ports.client}`;
    this.#peerUrl = `http://127.0.0.1:${ports.peer}`;
  }

  static async start(): Promise<EtcdMember> {
    const member = new EtcdMember({ client: await freePort("127.0.0.1"), peer: await freePort("127.0.0.1") });
    await member.start();
    return member;
  }

  async start(): Promise<void> {
    this.#program = new Program([
      ETCD,
      `--data-dir=${join(this.folder, "etcd")}`,
      `--listen-client-urls=${this.url}`,
      `--advertise-client-urls=${this.url}`,
      `--listen-peer-urls=${this.#peerUrl}`,
      `--initial-advertise-peer-urls=${this.#peerUrl}`,
      `--initial-cluster=default=${this.#peerUrl}`,
      "--unsafe-no-fsync",
    ]);
    await this.#program.untilLine(/ready to serve client requests/);
  }

  async kill(): Promise<void> {
    await this.#program?.kill();
  }
}
