// The live form: draws the cluster and takes orders from the keyboard, until Ctrl-C.
import { setTimeout as sleep } from "node:timers/promises";

import { allNodes, type Cluster, VIP_PORT, vips } from "../cluster.ts";
import { crash, type Fault, unplug } from "../faults.ts";
import { namespaceOf } from "../namespaces.ts";
import { addressOf, clientNames, serverNames } from "../plan.ts";
import { nowMs } from "../route-monitor.ts";
import type { Load } from "../traffic/client.ts";
import { addTallies, RateMeter, type Rates, total } from "../traffic/tallies.ts";
import { draw, type Facts, type NodeFacts } from "./view.ts";

const REDRAW_MS = 500;
const EVENTS = 6;
const DAEMONS = ["fiberlb", "gobgpd", "etcd"] as const;

/** Shows the cluster until `q` or Ctrl-C. */
export async function play(cluster: Cluster): Promise<true> {
  const loads = await Promise.all([
    cluster.client(0).load({ host: vips.ipv4, port: VIP_PORT }, 100),
    cluster.client(1).load({ host: vips.ipv6, port: VIP_PORT }, 50),
  ]);
  const stage = new Stage(cluster, loads);
  const keys = new Keyboard((key) => stage.press(key));
  try {
    while (!stage.isOver) {
      show(draw(await stage.facts()));
      await sleep(REDRAW_MS);
    }
  } finally {
    keys.close();
  }
  return true;
}

/** Draws over what was drawn before; on no terminal one screen after the other. */
function show(lines: readonly string[]): void {
  const text = process.stdout.isTTY
    ? `\u001B[H${lines.map((line) => `${line}\u001B[K`).join("\n")}\u001B[J`
    : lines.join("\n");
  process.stdout.write(`${text}\n`);
}

/** Single keys of a terminal. */
class Keyboard {
  constructor(onKey: (key: string) => void) {
    if (!process.stdin.isTTY) return;
    process.stdin
      .setRawMode(true)
      .setEncoding("utf8")
      .on("data", (text: string) => text.split("").forEach(onKey));
    process.stdout.write("\u001B[2J\u001B[?25l");
  }

  close(): void {
    if (!process.stdin.isTTY) return;
    process.stdin.setRawMode(false).pause();
    process.stdout.write("\u001B[?25h");
  }
}

const CTRL_C = "\u0003";

class Stage {
  isOver = false;
  readonly #cluster: Cluster;
  readonly #loads: readonly Load[];
  readonly #faults = new Map<string, Fault>();
  readonly #events: string[] = [];
  readonly #meters = { source: new RateMeter(), server: new RateMeter(), client: new RateMeter() };
  #states: Readonly<Record<string, string>> = {};

  constructor(cluster: Cluster, loads: readonly Load[]) {
    this.#cluster = cluster;
    this.#loads = loads;
  }

  press(key: string): void {
    if (key === "q" || key === CTRL_C) this.isOver = true;
    const index = "123456789".indexOf(key);
    if (index < 0 || key === "") return;
    const node = allNodes[index % 3]!;
    const row = Math.floor(index / 3);
    const order = row === 0 ? this.#toggleCrash(node) : row === 1 ? this.#toggleCable(node) : this.#toggleDrain(node);
    order.catch((error: unknown) => this.#happened((error as Error).message));
  }

  async facts(): Promise<Facts> {
    const tallies = await Promise.all(this.#loads.map((load) => load.peek()));
    const sum = addTallies(tallies);
    const at = performance.now();
    const sources = this.#meters.source.rates(sum.bySource, at);
    const servers = this.#meters.server.rates(sum.byServer, at);
    const perClient = Object.fromEntries(clientNames.map((name, index) => [name, tallies[index]?.requests ?? 0]));
    const clients = this.#meters.client.rates(perClient, at);
    await this.#ask();
    const named = (names: readonly string[], rates: Rates) =>
      names.map((name) => ({ name, requestsPerS: rates[name] ?? 0 }));
    return {
      vips: Object.values(vips).map((address) => ({ address, nodes: this.#cluster.routes.nodes(address) })),
      clients: named(clientNames, clients),
      servers: named(serverNames, servers),
      nodes: allNodes.map((name) => this.#node(name, sources)),
      requests: sum.requests,
      failed: total(sum.failed),
      retried: total(sum.retried),
      events: this.#events.slice(-EVENTS),
      hints: [
        "1 2 3: kill -9 a node's FiberLB, or start it   4 5 6: pull its cable, or plug it in   7 8 9: drain it, or undrain   q: quit",
        `in another terminal: ip netns exec ${namespaceOf(clientNames[0])} curl http://${vips.ipv4}/`,
        `ip netns exec ${namespaceOf("router")} ip route show ${vips.ipv4}`,
        `the machines' files: ${this.#cluster.lab.folder}`,
      ],
    };
  }

  #node(name: string, sources: Rates): NodeFacts {
    const units = this.#cluster.lab.units(name);
    const daemons = Object.fromEntries(
      DAEMONS.map((unit) => [unit, units.isActive(unit) ? "running" : "dead"] as const),
    );
    const requestsPerS = ([4, 6] as const).reduce(
      (sum, family) => sum + (sources[addressOf(name, "front", family)] ?? 0),
      0,
    );
    return { name, state: this.#states[name] ?? "not in the cluster", daemons, requestsPerS };
  }

  /** What the nodes say of themselves, from the first that answers. */
  async #ask(): Promise<void> {
    const alive = allNodes.find((name) => this.#cluster.lab.units(name).isActive("fiberlb"));
    if (alive === undefined) return;
    try {
      const { nodes = [] } = await this.#cluster.operator.call(alive, "NodeService/ListNodes");
      const known = nodes as readonly { readonly name: string; readonly state: string }[];
      this.#states = Object.fromEntries(
        known.map(({ name, state }) => [name, state.replace("NODE_STATE_", "").toLowerCase()]),
      );
    } catch {
      this.#states = {}; // the node has just died, or etcd has
    }
  }

  #happened(what: string): void {
    this.#events.push(`${new Date().toISOString().slice(11, 19)}  ${what}`);
  }

  async #toggleCrash(node: string): Promise<void> {
    await this.#toggle(`FiberLB killed on ${node}`, node, () => crash(this.#cluster, node, "fiberlb"));
  }

  async #toggleCable(node: string): Promise<void> {
    await this.#toggle(`cable of ${node} pulled`, node, () => unplug(node));
  }

  async #toggleDrain(node: string): Promise<void> {
    const from = allNodes.find((name) => name !== node && this.#cluster.lab.units(name).isActive("fiberlb")) ?? node;
    const call = async (rpc: string): Promise<void> => {
      await this.#cluster.operator.call(from, `NodeService/${rpc}`, { name: node });
    };
    await this.#toggle(`drain of ${node} ordered`, node, async () => {
      await call("DrainNode");
      return { repair: () => call("UndrainNode") };
    });
  }

  /** Does it, or undoes it; and says how long the router took to follow. */
  async #toggle(what: string, node: string, cause: () => Fault | Promise<Fault>): Promise<void> {
    const fault = this.#faults.get(what);
    const sinceMs = nowMs();
    if (fault === undefined) this.#faults.set(what, await cause());
    else {
      this.#faults.delete(what);
      await fault.repair();
    }
    const wanted = fault !== undefined;
    this.#happened(wanted ? `${what}: undone` : what);
    const at = await this.#cluster.routes.until(vips.ipv4, (nodes) => nodes.includes(node) === wanted, { sinceMs });
    this.#happened(`   the router ${wanted ? "sends to" : "left"} ${node} after ${Math.round(at - sinceMs)} ms`);
  }
}
