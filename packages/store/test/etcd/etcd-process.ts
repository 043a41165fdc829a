import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdtemp, rename, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const PEERS = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "fiberlb", "peers", "bin");
/** In memory where the system has that: the tests are about the protocol, not the disk. */
const FOLDER = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
const READY = /ready to serve client requests/;

export const ETCD = join(PEERS, "etcd");
export const ETCDCTL = join(PEERS, "etcdctl");

/** Why these tests cannot run here; undefined when they can. */
export const whyNoEtcd = existsSync(ETCD) ? undefined : `${ETCD} is missing: node tools/peer-programs.ts`;

export interface MemberOptions {
  readonly name: string;
  readonly clientPort: number;
  readonly peerPort: number;
  /** `name=url` of every member. */
  readonly initialCluster: string;
  readonly directory: string;
  readonly scheme?: "http" | "https";
  readonly extra?: readonly string[];
}

/** One etcd process that can be killed, stopped and started again with the same data. */
export class Member {
  readonly name: string;
  readonly url: string;
  readonly #args: readonly string[];
  readonly #data: string;
  #process: ChildProcess | undefined;

  constructor({ name, clientPort, peerPort, initialCluster, directory, scheme = "http", extra = [] }: MemberOptions) {
    this.name = name;
    this.url = `${scheme}://127.0.0.1:${clientPort}`;
    this.#data = join(directory, name);
    const peerUrl = `http://127.0.0.1:${peerPort}`;
    this.#args = [
      ["--name", name],
      ["--data-dir", this.#data],
      ["--listen-client-urls", this.url],
      ["--advertise-client-urls", this.url],
      ["--listen-peer-urls", peerUrl],
      ["--initial-advertise-peer-urls", peerUrl],
      ["--initial-cluster", initialCluster],
      ["--unsafe-no-fsync"],
      ["--log-level", "info"],
      extra,
    ].flat();
  }

  /** Resolves when it serves; of a cluster, once a majority does. @throws Error with its last lines when it ends */
  async start(): Promise<void> {
    const child = spawn(ETCD, this.#args, { stdio: ["ignore", "ignore", "pipe"] });
    this.#process = child;
    const lines = createInterface(child.stderr);
    const said: string[] = [];
    await new Promise<void>((resolve, reject) => {
      lines.on("line", (line) => {
        said.push(line);
        if (said.length > 10) said.shift();
        if (READY.test(line)) resolve();
      });
      child.once("exit", (code, signal) => {
        if (this.#process === child) this.#process = undefined;
        reject(new Error(`etcd ${this.name} ended (${code ?? signal}):\n${said.join("\n")}`));
      });
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  /** Resolves once the process is gone. */
  async kill(signal: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.kill(signal);
    await gone;
  }

  /** Keeps a copy of its data; only while it does not run. */
  backUp(): Promise<void> {
    return cp(this.#data, `${this.#data}.backup`, { recursive: true });
  }

  /** Puts the copy in the place of its data. */
  async restore(): Promise<void> {
    await rm(this.#data, { recursive: true });
    await rename(`${this.#data}.backup`, this.#data);
  }
}

/** Members of one cluster, with data in a folder of their own. */
export class EtcdCluster {
  readonly members: readonly Member[];
  readonly #directory: string;

  private constructor(members: readonly Member[], directory: string) {
    this.members = members;
    this.#directory = directory;
  }

  /** Starts a cluster and waits until every member serves. */
  static async start(
    size: number,
    { scheme = "http", extra = [] }: { readonly scheme?: "http" | "https"; readonly extra?: readonly string[] } = {},
  ): Promise<EtcdCluster> {
    const directory = await mkdtemp(join(FOLDER, "fiberlb-etcd-"));
    const ports = await freePorts(size * 2);
    const names = Array.from({ length: size }, (_, index) => `m${index + 1}`);
    const initialCluster = names.map((name, index) => `${name}=http://127.0.0.1:${ports[size + index]}`).join(",");
    const members = names.map(
      (name, index) =>
        new Member({
          name,
          clientPort: ports[index]!,
          peerPort: ports[size + index]!,
          initialCluster,
          directory,
          scheme,
          extra,
        }),
    );
    const cluster = new EtcdCluster(members, directory);
    try {
      await Promise.all(members.map((member) => member.start()));
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  get endpoints(): string[] {
    return this.members.map(({ url }) => url);
  }

  async stop(): Promise<void> {
    for (const member of this.members) member.signal("SIGCONT");
    await Promise.all(this.members.map((member) => member.kill()));
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/** Ports that nobody listens on; all different. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<Server>((resolve, reject) => {
          const server: Server = createServer()
            .once("error", reject)
            .listen(0, "127.0.0.1", () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
