import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import type { Command, CommandResult, RunCommand } from "../../../../src/data/l4/nftables/command.ts";
import { runCommand } from "../../../../src/data/l4/nftables/command.ts";
import type { AgentCall, EchoResult, FlowResult } from "./agent-protocol.ts";

/** Why the kernel's driver can't be tested here; empty when it can. */
export function whyNoKernel(): string {
  if (process.platform !== "linux") return "needs Linux network namespaces";
  if (process.getuid?.() !== 0) return "needs root";
  for (const [program, flag] of [
    ["ip", "-V"],
    ["nft", "-v"],
    ["conntrack", "-V"],
  ] as const) {
    if (spawnSync(program, [flag]).error !== undefined) return `${program} is not installed`;
  }
  const name = namespaceName("try");
  const added = spawnSync("ip", ["netns", "add", name], { encoding: "utf8" });
  if (added.status !== 0) return `this host allows no network namespace: ${added.stderr.trim()}`;
  const rule = "add table inet t; add chain inet t c { type nat hook prerouting priority -100; }";
  const loaded = spawnSync("ip", ["netns", "exec", name, "nft", rule], { encoding: "utf8" });
  ip("netns", "del", name);
  return loaded.status === 0 ? "" : `this kernel has no nf_tables with NAT: ${loaded.stderr.split("\n")[0]}`;
}

let made = 0;
const namespaceName = (what: string): string => `fl-${process.pid}-${what}${++made}`;

function ip(...args: string[]): void {
  const { status, stderr } = spawnSync("ip", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`ip ${args.join(" ")}: ${stderr}`);
}

/** A network namespace with processes in it. */
export class Namespace {
  readonly name: string;
  readonly #agents: ChildProcess[] = [];

  constructor(what: string) {
    this.name = namespaceName(what);
    ip("netns", "add", this.name);
    this.ip("link", "set", "lo", "up");
  }

  ip(...args: string[]): void {
    ip("-n", this.name, ...args);
  }

  /** Runs a command to its end. @throws when it fails */
  exec(...command: string[]): string {
    const { status, stdout, stderr } = spawnSync("ip", ["netns", "exec", this.name, ...command], { encoding: "utf8" });
    if (status !== 0) throw new Error(`${command.join(" ")}: ${stderr}`);
    return stdout;
  }

  /** For the driver: its commands, in here. */
  get run(): RunCommand {
    return ({ name, args, ...rest }: Command): Promise<CommandResult> =>
      runCommand({
        name: "ip",
        args: ["netns", "exec", this.name, name, ...args],
        ...rest,
      });
  }

  async agent(): Promise<Agent> {
    const script = fileURLToPath(new URL("agent.ts", import.meta.url));
    const child = spawn("ip", ["netns", "exec", this.name, process.execPath, script], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.#agents.push(child);
    const agent = new Agent(child);
    await agent.ready;
    return agent;
  }

  remove(): void {
    for (const child of this.#agents) child.kill("SIGKILL");
    ip("netns", "del", this.name);
  }
}

/** A process in a namespace that serves, connects and sends. */
export class Agent {
  readonly ready: Promise<unknown>;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  #calls = 0;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.ready = new Promise((resolve, reject) => this.#waiting.set(0, { resolve, reject }));
    child.on("message", ({ id, answer, error }: { id: number; answer?: unknown; error?: string }) => {
      const waiting = this.#waiting.get(id);
      if (error === undefined) waiting?.resolve(answer);
      else waiting?.reject(new Error(error));
      this.#waiting.delete(id);
    });
    child.on("exit", (code) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`the agent ended with ${code}`));
    });
  }

  /** @param name what it says it is; default: its address */
  serve(addresses: readonly string[], port: number, name?: string): Promise<void> {
    return this.#call({ kind: "serve", addresses, port, ...(name !== undefined && { name }) }) as Promise<void>;
  }

  /** Answers requests with its address and the client's as it sees it. */
  serveHttp(addresses: readonly string[], port: number): Promise<void> {
    return this.#call({ kind: "serve-http", addresses, port }) as Promise<void>;
  }

  /** Ends the process, and with it all that it serves. */
  async stop(): Promise<void> {
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }

  open(flow: Omit<Extract<AgentCall, { kind: "open" }>, "kind">): Promise<FlowResult[]> {
    return this.#call({ kind: "open", ...flow }) as Promise<FlowResult[]>;
  }

  echoHeld(): Promise<EchoResult[]> {
    return this.#call({ kind: "echo-held" }) as Promise<EchoResult[]>;
  }

  /** Ends the connections that are held. */
  dropHeld(): Promise<void> {
    return this.#call({ kind: "drop-held" }) as Promise<void>;
  }

  /** Sends bytes to an echo, and compares. */
  transfer(what: { readonly host: string; readonly port: number; readonly bytes: number }): Promise<EchoResult> {
    return this.#call({ kind: "transfer", ...what }) as Promise<EchoResult>;
  }

  #call(call: AgentCall): Promise<unknown> {
    const id = ++this.#calls;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ id, ...call });
    });
  }
}

/** Addresses of the testbed, IPv4 or IPv6. */
export interface Addresses {
  readonly vip: string;
  readonly client: string;
  /** The load balancer, as backends see it. */
  readonly inside: string;
  readonly backends: readonly string[];
}

const BACKENDS = 10;
/** IPv4. */
export const V4: Addresses = {
  vip: "203.0.113.1",
  client: "10.1.0.2",
  inside: "10.2.0.1",
  backends: Array.from({ length: BACKENDS }, (_, index) => `10.2.0.${10 + index}`),
};
/** IPv6. */
export const V6: Addresses = {
  vip: "2001:db8::1",
  client: "fd01::2",
  inside: "fd02::1",
  backends: Array.from({ length: BACKENDS }, (_, index) => `fd02::1:${index}`),
};

/** client – load balancer – backends, over veth; the VIP is on lo of the load balancer. */
export class Testbed {
  readonly client = new Namespace("client");
  readonly balancer = new Namespace("lb");
  readonly backends = new Namespace("backends");

  constructor() {
    cable(this.balancer, this.client, {
      name: "outside",
      addresses: ["10.1.0.1/24", "fd01::1/64"],
      peer: [V4.client, V6.client],
    });
    cable(this.balancer, this.backends, {
      name: "inside",
      addresses: [`${V4.inside}/24`, `${V6.inside}/64`],
      peer: [...V4.backends, ...V6.backends],
    });
    for (const side of [this.client, this.backends]) {
      const [v4, v6] = side === this.client ? ["10.1.0.1", "fd01::1"] : [V4.inside, V6.inside];
      side.ip("route", "add", "default", "via", v4);
      side.ip("-6", "route", "add", "default", "via", v6);
    }
    this.balancer.ip("addr", "add", `${V4.vip}/32`, "dev", "lo");
    this.balancer.ip("-6", "addr", "add", `${V6.vip}/128`, "dev", "lo", "nodad");
    this.balancer.exec("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");
  }

  remove(): void {
    for (const namespace of [this.client, this.balancer, this.backends]) namespace.remove();
  }
}

interface Cable {
  readonly name: string;
  readonly addresses: readonly string[];
  /** Addresses at the other end. */
  readonly peer: readonly string[];
}

function cable(from: Namespace, to: Namespace, { name, addresses, peer }: Cable): void {
  from.ip("link", "add", name, "type", "veth", "peer", "name", name, "netns", to.name);
  const add = (at: Namespace, address: string): void =>
    at.ip(
      ...(address.includes(":") ? ["-6"] : []),
      "addr",
      "add",
      address,
      "dev",
      name,
      ...(address.includes(":") ? ["nodad"] : []),
    );
  for (const address of addresses) add(from, address);
  for (const address of peer) add(to, `${address}/${address.includes(":") ? 64 : 24}`);
  for (const at of [from, to]) at.ip("link", "set", name, "up");
}
