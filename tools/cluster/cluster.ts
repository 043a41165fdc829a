// The cluster of the runbook with its router, clients and servers: started, watched, loaded, broken.
import { Lab } from "./lab.ts";
import { namespaceOf } from "./namespaces.ts";
import { Operator } from "./operator/operator.ts";
import { clientNames, nodeNames, serverNames } from "./plan.ts";
import { RouteMonitor } from "./route-monitor.ts";
import { runSection, type Say } from "./run-runbook.ts";
import { TrafficClient } from "./traffic/client.ts";
import { startServer, type WebServer } from "./traffic/servers.ts";

/** The load balancers that the runbook declares: the same servers, once by IPv4 and once by IPv6. */
export const vips = { ipv4: "203.0.113.10", ipv6: "2001:db8:113::10" } as const;
/** Of both. */
export const VIP_PORT = 80;
export const bothVips: readonly string[] = [vips.ipv4, vips.ipv6];
export const allNodes: readonly string[] = [...nodeNames];

/** How a cluster is started. */
export interface ClusterOptions {
  /** Told what is being done. */
  readonly say?: Say;
  /** Environment of every FiberLB: settings that differ from the runbook's. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A cluster that runs. */
export class Cluster {
  readonly lab: Lab;
  readonly routes: RouteMonitor;
  #operator: Operator | undefined;
  #servers: readonly WebServer[] = [];
  #clients: readonly TrafficClient[] = [];

  private constructor(lab: Lab) {
    this.lab = lab;
    this.routes = new RouteMonitor(namespaceOf("router"));
  }

  /**
   * Builds the machines and follows the runbook's "Bootstrap"; resolves when both VIPs are announced by all nodes.
   * @throws Error that says what failed, with the last lines of the daemons; nothing is left behind
   */
  static async start({ say = () => undefined, settings = {} }: ClusterOptions = {}): Promise<Cluster> {
    say("building machines");
    const cluster = new Cluster(await Lab.open());
    try {
      await cluster.#start(say, settings);
      return cluster;
    } catch (error) {
      (error as Error).message += `\n${cluster.lab.logs()}`;
      await cluster.close();
      throw error;
    }
  }

  get operator(): Operator {
    if (this.#operator === undefined) throw new Error("The cluster has not been started");
    return this.#operator;
  }

  /** The clients, by their order in the plan. */
  client(index: 0 | 1): TrafficClient {
    const client = this.#clients[index];
    if (client === undefined) throw new Error("The cluster has not been started");
    return client;
  }

  /** Resolves when the router sends both VIPs to exactly these nodes. @returns when that was, of the later of the two */
  async untilRouted(nodes: readonly string[], { sinceMs }: { readonly sinceMs?: number } = {}): Promise<number> {
    const wanted = nodes.toSorted().join();
    const options = sinceMs === undefined ? {} : { sinceMs };
    const times = bothVips.map((vip) => this.routes.until(vip, (now) => now.join() === wanted, options));
    return Math.max(...(await Promise.all(times)));
  }

  /** Ends everything and leaves nothing behind. Idempotent. */
  async close(): Promise<void> {
    const parts = [...this.#servers, ...this.#clients, ...(this.#operator === undefined ? [] : [this.#operator])];
    await Promise.all([...parts, this.routes].map((part) => part.close()));
    await this.lab.close();
  }

  async #start(say: Say, settings: Readonly<Record<string, string>>): Promise<void> {
    for (const { name } of this.lab.nodes()) this.lab.units(name).overrides.set("fiberlb", settings);
    const { lab } = this;
    [this.#servers, this.#clients] = await Promise.all([
      Promise.all(serverNames.map((name) => startServer(lab.host(name)))),
      Promise.all(clientNames.map((name) => TrafficClient.start(lab.host(name)))),
    ]);
    await runSection(lab, "Bootstrap", say);
    this.#operator = await Operator.start(lab.host("admin"));
    say("waiting for the routes");
    await this.untilRouted(allNodes);
  }
}

/** Names of the nodes that say of themselves that they serve, sorted; asked of the first node. */
export async function readyNodes({ operator }: Cluster, asked = allNodes[0]!): Promise<readonly string[]> {
  const { nodes = [] } = await operator.call(asked, "NodeService/ListNodes");
  const known = nodes as readonly { readonly name: string; readonly state: string }[];
  return known
    .filter(({ state }) => state === "NODE_STATE_READY")
    .map(({ name }) => name)
    .toSorted();
}
