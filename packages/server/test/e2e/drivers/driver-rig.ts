import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";

import { type FiberlbClient, HealthCheckType, ListenerProtocol } from "@fiberlb/api";

import { type Addresses, type Agent, type Namespace, Testbed, V4, V6 } from "../../data/l4/nftables/testbed.ts";
import { type Declared, untilApplied } from "../declare.ts";
import { NamespaceNode } from "./namespace-node.ts";

/** `dataPlane.l4`. */
export type Driver = "userspace" | "nftables";

/** Where backends serve: HTTP; a line that says who serves, and an echo, over TCP and UDP; and for health checks alone. */
export const PORTS = { http: 8080, lines: 9000, monitor: 9999 } as const;

type CreatePool = Parameters<FiberlbClient["pools"]["createPool"]>[0];
type CreateListener = Parameters<FiberlbClient["listeners"]["createListener"]>[0];
type CreateBackend = Parameters<FiberlbClient["backends"]["createBackend"]>[0];

/** A load balancer with one listener on port 80 and one pool. */
export interface Wanted {
  /** Default: IPv4. */
  readonly at?: Addresses;
  readonly listener?: CreateListener;
  readonly pool?: CreatePool | undefined;
  /** Each with an address of its own; the port is that of HTTP. Default: three. */
  readonly backends?: readonly CreateBackend[];
  /** Health checks ask the monitor port, several times a second. */
  readonly monitored?: boolean;
}

/** What came of one transfer of curl. */
export interface CurlReply {
  /** Of curl: 0, 7 when nobody listens, 56 when the connection was reset. */
  readonly exitCode: number;
  /** Address of the backend, and the one that it saw. */
  readonly backend: string;
  readonly seen: string;
  /** The client's port. */
  readonly port: number;
}

/** client – balancer – backends, each in its own namespace, with a whole node on the balancer. */
export class DriverRig {
  readonly bed = new Testbed();
  #node: NamespaceNode | undefined;
  #client: Agent | undefined;
  #monitors: Agent | undefined;
  #vips = 0;

  /** Starts backends, client and node. */
  async start(driver: Driver): Promise<void> {
    this.#client = await this.bed.client.agent();
    const backends = await this.bed.backends.agent();
    const all = [...V4.backends, ...V6.backends];
    await backends.serve(all, PORTS.lines);
    await backends.serveHttp(all, PORTS.http);
    this.#monitors = await this.bed.backends.agent();
    await this.#monitors.serve(V4.backends.slice(0, 1), PORTS.monitor);
    await (await this.bed.backends.agent()).serve(V4.backends.slice(1), PORTS.monitor);
    this.#node = await NamespaceNode.start(this.bed.balancer, {
      "dataPlane.l4": driver,
      vipPools: [
        { name: "default", cidrs: ["198.51.100.0/24"] },
        { name: "six", cidrs: ["2001:db8:1::/112"] },
      ],
    });
  }

  /** Ends everything, also what was started in part. */
  async stop(): Promise<void> {
    await this.#node?.stop();
    this.bed.remove();
  }

  get api(): FiberlbClient {
    return (this.#node as NamespaceNode).client;
  }

  get client(): Agent {
    return this.#client as Agent;
  }

  /** Makes a load balancer; resolves when it is served. */
  async declare({ at = V4, listener, pool, backends, monitored = false }: Wanted): Promise<Declared> {
    const { api } = this;
    this.#vips += 1;
    const host = at === V4 ? `198.51.100.${this.#vips}` : `2001:db8:1::${this.#vips}`;
    const { loadBalancer } = await api.loadBalancers.createLoadBalancer({ vipAddress: host });
    const loadBalancerId = loadBalancer!.id;
    const poolId = (await api.pools.createPool({ loadBalancerId, ...pool })).pool!.id;
    if (monitored) await api.healthChecks.createHealthCheck({ poolId, ...HEALTH_CHECK });
    const backendIds: string[] = [];
    for (const [index, backend] of (backends ?? [{}, {}, {}]).entries()) {
      const wanted = { poolId, address: at.backends[index]!, port: PORTS.http, ...backend };
      backendIds.push((await api.backends.createBackend(wanted)).backend!.id);
    }
    const made = { loadBalancerId, protocol: ListenerProtocol.TCP, port: 80, defaultPoolId: poolId, ...listener };
    const listenerId = (await api.listeners.createListener(made)).listener!.id;
    await untilApplied(api, loadBalancerId);
    return { host, port: made.port, loadBalancerId, listenerId, poolId, backendIds };
  }

  /** Changes a backend; resolves when the change is in force. @param mask names as in the API's messages */
  async change(lb: Declared, index: number, fields: { weight?: number; adminStateUp?: boolean }): Promise<void> {
    const id = lb.backendIds[index]!;
    const { revision } = (await this.api.backends.getBackend({ id })).backend!;
    await this.api.backends.updateBackend({
      backend: { id, revision, ...fields },
      updateMask: { paths: Object.keys(fields).map((name) => (name === "adminStateUp" ? "admin_state_up" : name)) },
    });
    await untilApplied(this.api, lb.loadBalancerId);
  }

  /** Resolves when what was declared last is served. */
  applied({ loadBalancerId }: Declared): Promise<void> {
    return untilApplied(this.api, loadBalancerId);
  }

  /** Health checks of the first backend fail from now on. It goes on serving. */
  silenceFirstMonitor(): Promise<void> {
    return this.#monitors!.stop();
  }

  /** Opens that many connections, one after the other, with curl. */
  curl(
    { host, port }: { readonly host: string; readonly port: number },
    connections = 1,
    from = this.bed.client,
  ): CurlReply[] {
    const url = `http://${host.includes(":") ? `[${host}]` : host}:${port}/`;
    const flags = ["-gs", "-m", "10", "-H", "Connection: close", "-w", "\t%{local_port}\t%{exitcode}\n"];
    const output = run(from, ["curl", ...flags, ...Array.from({ length: connections }, () => url)]);
    return output
      .trimEnd()
      .split("\n")
      .map((line) => {
        const [who = "", local, exitCode] = line.split("\t");
        const [backend = "", seen = ""] = who.split(" ");
        return { exitCode: Number(exitCode), backend, seen, port: Number(local) };
      });
  }

  /** Sends a datagram with socat. @returns the backend that answered, empty when nobody did */
  socatUdp({ host, port }: { readonly host: string; readonly port: number }): string {
    const to = host.includes(":") ? `UDP6:[${host}]:${port}` : `UDP4:${host}:${port}`;
    return run(this.bed.client, ["socat", "-T", "0.3", "-", to], "?").split(" ", 1)[0] ?? "";
  }

  /** A run of iperf3 from the client to a server at that backend. @returns bytes that arrived */
  async iperf3(
    { host, port }: { readonly host: string; readonly port: number },
    backend: string,
    flags: readonly string[],
  ): Promise<number> {
    const { bed } = this;
    const server = ["iperf3", "-s", "-1", "--forceflush", "-B", backend, "-p", String(port)];
    const child = spawn("ip", ["netns", "exec", bed.backends.name, ...server], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    const ended = once(child, "exit");
    const output = run(bed.client, ["iperf3", "-J", "-c", host, "-p", String(port), ...flags]);
    const { end, error = "" } = JSON.parse(output) as Iperf3Report;
    if (error !== "") throw new Error(`iperf3 ${flags.join(" ")}: ${error}`);
    child.stdout.resume();
    await ended;
    return (end.sum_received ?? end.sum)?.bytes ?? 0;
  }
}

/** What matters of iperf3's report. */
interface Iperf3Report {
  readonly error?: string;
  readonly end: Readonly<Partial<Record<"sum" | "sum_received", { readonly bytes: number }>>>;
}

/** Runs a program to its end, however that is. */
function run(namespace: Namespace, command: readonly string[], input = ""): string {
  const options = { encoding: "utf8", input, timeout: 30_000 } as const;
  return spawnSync("ip", ["netns", "exec", namespace.name, ...command], options).stdout;
}

/** One probe that is late on a busy machine must not look like a dead server. */
const HEALTH_CHECK = { type: HealthCheckType.TCP, intervalMs: 250, timeoutMs: 250, rise: 1, fall: 3 };
