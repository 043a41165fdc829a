import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { rankNodes } from "../../src/announce/l2/rendezvous.ts";
import { Namespace } from "../data/l4/nftables/testbed.ts";
import type { L2ClientOptions, OwnerSeen } from "./l2-client.ts";
import { EtcdInNamespace, hasEtcd } from "./l2-etcd.ts";
import type { L2NodeCommand, L2NodeOptions } from "./l2-node.ts";
import { SharedStore, type TestStore } from "./l2-store.ts";
import { until } from "./until.ts";

/** Why this can't be tested here; empty when it can. */
export function whyNoBridge(): string {
  if (process.platform !== "linux") return "needs Linux network namespaces";
  if (process.getuid?.() !== 0) return "needs root";
  if (spawnSync("ip", ["-V"]).error !== undefined) return "ip is not installed";
  const name = `fl-${process.pid}-l2try`;
  const made = spawnSync("ip", ["netns", "add", name], { encoding: "utf8" });
  if (made.status !== 0) return `this host allows no network namespace: ${made.stderr.trim()}`;
  const bridge = spawnSync("ip", ["-n", name, "link", "add", "br0", "type", "bridge"], { encoding: "utf8" });
  spawnSync("ip", ["netns", "del", name]);
  return bridge.status === 0 ? "" : `this kernel has no bridge: ${bridge.stderr.trim()}`;
}

export const NODES = ["lb-1", "lb-2", "lb-3"];
const PORT = 7000;
const STORE_ADDRESS = "10.78.0.254";

/** An IPv4 and an IPv6 address for which the nodes rank alike, so that one node has both. */
function twinVips(): readonly [string, string] {
  const v4 = "10.77.0.200";
  const rank = rankNodes(v4, NODES).join();
  for (let suffix = 0x200; ; suffix += 1) {
    const v6 = `fd77::${suffix.toString(16)}`;
    if (rankNodes(v6, NODES).join() === rank) return [v4, v6];
  }
}

/** One node's process. */
export class L2Process {
  readonly name: string;
  readonly host: Namespace;
  readonly #child: ChildProcess;

  constructor(name: string, host: Namespace, child: ChildProcess) {
    this.name = name;
    this.host = host;
    this.#child = child;
  }

  tell(command: L2NodeCommand): void {
    this.#child.send(command);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}

/** Three nodes and a client on a switch, and a store that nodes reach in another way: a real etcd where there is one. */
export class L2Testbed {
  readonly vips = twinVips();
  readonly store: TestStore;
  /** What the client has seen, in order. */
  readonly seen: OwnerSeen[] = [];
  /** What must not happen: a VIP on two interfaces, a process that ends by itself. */
  readonly faults: string[] = [];
  readonly nodes = new Map<string, L2Process>();
  readonly #switch = new Namespace("switch");
  readonly #client = new Namespace("client");
  readonly #hosts = new Map(NODES.map((name) => [name, new Namespace(name)]));
  readonly #children: ChildProcess[] = [];

  constructor() {
    for (const bridge of ["br0", "store0"]) {
      this.#switch.ip("link", "add", bridge, "type", "bridge");
      this.#switch.ip("link", "set", bridge, "up");
    }
    this.#switch.ip("addr", "add", `${STORE_ADDRESS}/24`, "dev", "store0");
    this.#plug(this.#client, "client", 100);
    [...this.#hosts].forEach(([name, host], at) => {
      this.#plug(host, name, at + 1);
      this.#connect(host, `${name}-s`, at + 1);
    });
    this.store = hasEtcd
      ? new EtcdInNamespace(this.#switch, STORE_ADDRESS)
      : new SharedStore(path.join(tmpdir(), `fl-l2-${process.pid}.sock`));
  }

  async start(): Promise<void> {
    await this.store.open();
    for (const [name, host] of this.#hosts) this.#follow(name, host);
    await Promise.all([...this.#hosts.keys()].map((name) => this.startNode(name)));
    const client = this.#spawn(this.#client, "l2-client.ts", { vips: this.vips, port: PORT } satisfies L2ClientOptions);
    client.on("message", (message) => typeof message === "object" && this.seen.push(message as OwnerSeen));
    await until(
      "both VIPs answer",
      () => this.seen.length,
      (count) => count >= 2,
    );
  }

  async startNode(name: string): Promise<L2Process> {
    const host = this.#hosts.get(name) as Namespace;
    const options: L2NodeOptions = { node: name, store: this.store.address, vips: this.vips, port: PORT };
    const child = this.#spawn(host, "l2-node.ts", options);
    const node = new L2Process(name, host, child);
    await new Promise((resolve) => child.once("message", resolve));
    this.nodes.set(name, node);
    return node;
  }

  /** Plugs a node's cable in or out. */
  cable(name: string, state: "up" | "down"): void {
    this.#switch.ip("link", "set", name, state);
  }

  /** Names of nodes that have a VIP on their link. */
  owners(vip: string): readonly string[] {
    return [...this.#hosts].filter(([, host]) => has(host, vip)).map(([name]) => name);
  }

  /** The one node that has both VIPs. */
  async owner(): Promise<L2Process> {
    const owners = await until(
      "one node has both VIPs",
      () => this.vips.map((vip) => this.owners(vip).join()),
      ([one, other]) => one !== "" && one === other,
    );
    return this.nodes.get(owners[0] as string) as L2Process;
  }

  /** Does what moves the VIPs; answers, of each, where to and for how long nobody answered, in milliseconds. */
  async move(act: () => void): Promise<readonly OwnerSeen[]> {
    const before = this.seen.length;
    act();
    const seen = await until(
      "both VIPs have moved",
      () => this.seen.slice(before),
      ({ length }) => length >= 2,
    );
    return this.vips.map((vip) => seen.find((one) => one.vip === vip) as OwnerSeen);
  }

  async remove(): Promise<void> {
    for (const child of this.#children) child.kill("SIGKILL");
    await this.store.close();
    for (const host of [this.#client, ...this.#hosts.values(), this.#switch]) host.remove();
  }

  #plug(host: Namespace, port: string, number: number): void {
    this.#switch.ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", host.name);
    this.#switch.ip("link", "set", port, "master", "br0", "up");
    host.ip("addr", "add", `10.77.0.${number}/24`, "dev", "eth0");
    host.ip("-6", "addr", "add", `fd77::${number}/64`, "dev", "eth0", "nodad");
    host.ip("link", "set", "eth0", "up");
  }

  /** To the store's network. */
  #connect(host: Namespace, port: string, number: number): void {
    this.#switch.ip("link", "add", port, "type", "veth", "peer", "name", "eth1", "netns", host.name);
    this.#switch.ip("link", "set", port, "master", "store0", "up");
    host.ip("addr", "add", `10.78.0.${number}/24`, "dev", "eth1");
    host.ip("link", "set", "eth1", "up");
  }

  /** Whenever a VIP comes to a node, looks whether another one still has it. */
  #follow(name: string, host: Namespace): void {
    const monitor = spawn("ip", ["-n", host.name, "monitor", "address"], { stdio: ["ignore", "pipe", "ignore"] });
    this.#children.push(monitor);
    const there = new Set<string>();
    createInterface({ input: monitor.stdout }).on("line", (line) => {
      const vip = this.vips.find((one) => line.includes(` ${one}/`));
      if (vip === undefined) return;
      if (line.startsWith("Deleted")) there.delete(vip);
      else if (!there.has(vip)) {
        there.add(vip);
        this.#checkAlone(vip, name, host);
      }
    });
  }

  #checkAlone(vip: string, name: string, host: Namespace): void {
    // It may have moved on since the line was written, and may do so while the others are looked at.
    if (!has(host, vip)) return;
    const others = [...this.#hosts].filter(([other, at]) => other !== name && has(at, vip)).map(([other]) => other);
    if (others.length > 0 && has(host, vip)) this.faults.push(`${vip} on ${name} and ${others.join()}`);
  }

  #spawn(host: Namespace, script: string, options: object): ChildProcess {
    const file = fileURLToPath(new URL(script, import.meta.url));
    const flags = ["--conditions=@fiberlb/source", "--disable-warning=ExperimentalWarning"];
    const child = spawn("ip", ["netns", "exec", host.name, process.execPath, ...flags, file, JSON.stringify(options)], {
      stdio: ["ignore", "inherit", process.env["FIBERLB_TEST_LOG"] === undefined ? "ignore" : "inherit", "ipc"],
    });
    this.#children.push(child);
    child.on("exit", (code, signal) => {
      if (signal !== "SIGKILL") this.faults.push(`${script} in ${host.name} ended with ${code ?? signal}`);
    });
    return child;
  }
}

const has = (host: Namespace, vip: string): boolean =>
  spawnSync("ip", ["-n", host.name, "addr", "show", "to", vip], { encoding: "utf8" }).stdout !== "";
