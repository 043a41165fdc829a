import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const RUNNER = join(import.meta.dirname, "l4-network-runner.ts");
/** Whom the balancer sees as the client. */
export const CLIENT = "10.1.0.2";
const VIP = "203.0.113.1";
const BACKEND = "10.2.0.2";
/** Of listener and backend, which direct server return wants to be the same. */
const PORT = 80;
const STREAM_PORT = 5201;
const DATAGRAM_BYTES = 64;

/** One way from the client to the backend. */
export interface Path {
  readonly name: string;
  /** Where the client connects to. */
  readonly host: string;
  /** What carries it: a command line in the balancer's namespace; absent: routing alone. */
  readonly command?: readonly string[];
  readonly carriesDatagrams: boolean;
}

/** What one path carried. NaN: that load it does not carry. */
export interface Measured {
  readonly requestsPerS: number;
  readonly p99Ms: number;
  readonly connectionsPerS: number;
  readonly gbitPerS: number;
  readonly packetsPerS: number;
}

/** A namespace of the bed. */
export type Place = "client" | "balancer" | "backend";

/** Client – balancer – backend, each a network namespace of its own, over veth. */
export class NetworkBed {
  readonly #folder = mkdtempSync(join(tmpdir(), "fiberlb-bench-"));
  readonly #started: ChildProcess[] = [];

  constructor() {
    for (const place of ["client", "balancer", "backend"] as const) {
      ip("netns", "add", nameOf(place));
      ip("-n", nameOf(place), "link", "set", "lo", "up");
    }
    this.#cable("client", "10.1.0");
    this.#cable("backend", "10.2.0");
    for (const place of ["balancer", "backend"] as const)
      ip("-n", nameOf(place), "addr", "add", `${VIP}/32`, "dev", "lo");
    inside("backend", "sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2");
    // Answers of direct server return come from an address that the router, here, has too.
    const own = ["net.ipv4.conf.backend.accept_local=1", "net.ipv4.conf.all.rp_filter=0"];
    inside("balancer", "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.backend.rp_filter=0", ...own);
  }

  /** All ways, the one through HAProxy first. */
  paths(): readonly Path[] {
    const node = [process.execPath, "--conditions=@fiberlb/source", "--no-warnings"];
    const runner = (mode: string): readonly string[] => [
      ...node,
      RUNNER,
      mode,
      VIP,
      BACKEND,
      `${PORT}`,
      `${STREAM_PORT}`,
    ];
    const haproxy = this.#file("haproxy.cfg", HAPROXY_CONFIG);
    const through = { host: VIP, carriesDatagrams: true };
    return [
      { ...through, name: "HAProxy, mode tcp", command: ["haproxy", "-f", haproxy], carriesDatagrams: false },
      { ...through, name: "FiberLB, user space", command: runner("userspace") },
      { ...through, name: "FiberLB, nftables", command: runner("nftables") },
      { ...through, name: "FiberLB, direct server return", command: runner("dsr") },
      { ...through, name: "no balancer, routed", host: BACKEND },
    ];
  }

  async startBackend(): Promise<void> {
    this.start("backend", ["nginx", "-p", this.#folder, "-c", this.#file("nginx.conf", NGINX_CONFIG)]);
    // One for each address: a server on all of them answers datagrams from the address of its device.
    for (const address of [BACKEND, VIP])
      this.start("backend", ["iperf3", "-s", "-B", address, "-p", `${STREAM_PORT}`], { quiet: true });
    await this.#answers(BACKEND);
  }

  /** Starts what carries a path, puts each load on it for so many seconds, and stops it again. */
  async measure({ command, host, carriesDatagrams }: Path, seconds: number): Promise<Measured> {
    const carrier = command === undefined ? undefined : this.start("balancer", command);
    await this.#answers(host);
    const keepAlive = wrk(host, seconds);
    const closing = wrk(host, seconds, "-H", "Connection: close");
    const stream = iperf3(host, seconds).sum_received.bits_per_second;
    const datagrams = carriesDatagrams
      ? iperf3(host, seconds, "-u", "-b", "0", "-l", `${DATAGRAM_BYTES}`).sum
      : undefined;
    if (carrier !== undefined) await stop(carrier);
    return {
      ...keepAlive,
      connectionsPerS: closing.requestsPerS,
      gbitPerS: stream / 1e9,
      packetsPerS:
        datagrams === undefined ? Number.NaN : (datagrams.packets - datagrams.lost_packets) / datagrams.seconds,
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.#started.map(stop));
    for (const place of ["client", "balancer", "backend"] as const) ip("netns", "del", nameOf(place));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #cable(to: Exclude<Place, "balancer">, network: string): void {
    const [here, there] = [nameOf("balancer"), nameOf(to)];
    ip("-n", here, "link", "add", to, "type", "veth", "peer", "name", "up0", "netns", there);
    ip("-n", here, "addr", "add", `${network}.1/24`, "dev", to);
    ip("-n", there, "addr", "add", `${network}.2/24`, "dev", "up0");
    ip("-n", here, "link", "set", to, "up");
    ip("-n", there, "link", "set", "up0", "up");
    ip("-n", there, "route", "add", "default", "via", `${network}.1`);
  }

  /** Gives a namespace one more address. */
  address(place: Exclude<Place, "balancer">, address: string): void {
    ip("-n", nameOf(place), "addr", "add", address, "dev", "up0");
  }

  /** Starts a program in a namespace. @param ipc whether it takes and sends messages */
  start(place: Place, command: readonly string[], { ipc = false, quiet = false } = {}): ChildProcess {
    const stdio = ["ignore", "ignore", quiet ? "ignore" : "inherit", ...(ipc ? ["ipc" as const] : [])] as const;
    const child = spawn("ip", ["netns", "exec", nameOf(place), ...command], { stdio: [...stdio] });
    this.#started.push(child);
    return child;
  }

  async #answers(host: string): Promise<void> {
    const curl = ["curl", "-sf", "-m1", "-o/dev/null", urlOf(host)];
    for (let attempt = 0; attempt < 100; attempt += 1) {
      if (spawnSync("ip", ["netns", "exec", nameOf("client"), ...curl]).status === 0) return;
      await sleep(50);
    }
    throw new Error(`Nothing answers at ${urlOf(host)} after 100 attempts`);
  }

  #file(name: string, text: string): string {
    const path = join(this.#folder, name);
    writeFileSync(path, text);
    return path;
  }
}

/** Why the bed cannot be made here; empty when it can. */
export function whyNotHere(programs: readonly string[]): string {
  if (process.getuid?.() !== 0) return "needs root";
  const missing = ["ip", ...programs].filter((one) => spawnSync("sh", ["-c", `command -v ${one}`]).status !== 0);
  return missing.length > 0 ? `not installed: ${missing.join(", ")}` : "";
}

const nameOf = (place: Place): string => `fiberlb-bench-${process.pid}-${place}`;

function ip(...args: string[]): void {
  const { status, stderr } = spawnSync("ip", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`ip ${args.join(" ")}: ${stderr}`);
}

function inside(place: Place, ...command: string[]): string {
  const { status, stdout, stderr } = spawnSync("ip", ["netns", "exec", nameOf(place), ...command], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`${command.join(" ")}: ${stderr}`);
  return stdout;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  await ended;
}

const urlOf = (host: string): string => `http://${host}:${PORT}/`;

function wrk(host: string, seconds: number, ...flags: readonly string[]): Pick<Measured, "requestsPerS" | "p99Ms"> {
  const output = inside("client", "wrk", "-t1", "-c64", `-d${seconds}s`, "--latency", ...flags, urlOf(host));
  const requestsPerS = Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1] ?? Number.NaN);
  return { requestsPerS, p99Ms: milliseconds(/99%\s+(\S+)/.exec(output)?.[1] ?? "") };
}

/** What matters of the end of iperf3's report. */
interface StreamReport {
  readonly sum_received: { readonly bits_per_second: number };
  readonly sum: { readonly packets: number; readonly lost_packets: number; readonly seconds: number };
}

function iperf3(host: string, seconds: number, ...flags: readonly string[]): StreamReport {
  const output = inside("client", "iperf3", "-J", "-c", host, "-p", `${STREAM_PORT}`, "-t", `${seconds}`, ...flags);
  return (JSON.parse(output) as { readonly end: StreamReport }).end;
}

/** `310.00us`, `1.02ms`, `2.00s`. */
function milliseconds(text: string): number {
  const factor = text.endsWith("us") ? 1e-3 : text.endsWith("ms") ? 1 : 1e3;
  return Number.parseFloat(text) * factor;
}

const NGINX_CONFIG = `daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log stderr crit;
events { worker_connections 8192; }
http {
  access_log off; keepalive_requests 1000000000;
  server { listen ${PORT} backlog=4096; location / { return 200 "hello from the backend 29 by\\n"; } }
}
`;

const HAPROXY_CONFIG = `global
  nbthread 1
  maxconn 8192
defaults
  mode tcp
  timeout connect 5s
  timeout client 350s
  timeout server 350s
listen requests
  bind ${VIP}:${PORT} backlog 4096
  server backend ${BACKEND}:${PORT}
listen streams
  bind ${VIP}:${STREAM_PORT}
  server backend ${BACKEND}:${STREAM_PORT}
`;
