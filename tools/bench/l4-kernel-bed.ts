import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const RUNNER = join(import.meta.dirname, "l4-kernel-runner.ts");
/** Whom the balancer sees as the client. */
export const CLIENT = "10.1.0.2";
const VIP = "203.0.113.1";
const BACKEND = "10.2.0.2";
const BACKEND_PORT = 8080;
const PORT = 80;

/** One way from the client to the backend. */
export interface Path {
  readonly name: string;
  /** Where the client connects to. */
  readonly url: string;
  /** What carries it: a command line in the balancer's namespace; absent: routing alone. */
  readonly command?: readonly string[];
}

/** What wrk measured. */
export interface Measured {
  readonly requestsPerS: number;
  readonly p99Ms: number;
}

/** A namespace of the bed. */
export type Place = "client" | "balancer" | "backend";

/** Client – balancer – backend, each a network namespace of its own, over veth. */
export class KernelBed {
  readonly #folder = mkdtempSync(join(tmpdir(), "fiberlb-bench-"));
  readonly #started: ChildProcess[] = [];

  constructor() {
    for (const place of ["client", "balancer", "backend"] as const) {
      ip("netns", "add", nameOf(place));
      ip("-n", nameOf(place), "link", "set", "lo", "up");
    }
    this.#cable("client", "10.1.0");
    this.#cable("backend", "10.2.0");
    ip("-n", nameOf("balancer"), "addr", "add", `${VIP}/32`, "dev", "lo");
    inside("balancer", "sysctl", "-qw", "net.ipv4.ip_forward=1");
  }

  /** All ways, the one through HAProxy first. */
  paths(): readonly Path[] {
    const url = `http://${VIP}:${PORT}/`;
    const node = [process.execPath, "--conditions=@fiberlb/source", "--no-warnings"];
    const endpoints = [VIP, String(PORT), BACKEND, String(BACKEND_PORT)];
    const runner = (mode: string): readonly string[] => [...node, RUNNER, mode, ...endpoints];
    const haproxy = this.#file("haproxy.cfg", HAPROXY_CONFIG);
    return [
      { name: "HAProxy, mode tcp", url, command: ["haproxy", "-f", haproxy] },
      { name: "FiberLB, user space", url, command: runner("userspace") },
      { name: "FiberLB, nftables", url, command: runner("nftables") },
      { name: "no balancer, routed", url: `http://${BACKEND}:${BACKEND_PORT}/` },
    ];
  }

  async startBackend(): Promise<void> {
    this.start("backend", ["nginx", "-p", this.#folder, "-c", this.#file("nginx.conf", NGINX_CONFIG)]);
    await this.#answers(`http://${BACKEND}:${BACKEND_PORT}/`);
  }

  /** Starts what carries a path, loads it, and stops that again. */
  async measure(
    path: Path,
    options: { readonly seconds: number; readonly newConnections: boolean },
  ): Promise<Measured> {
    const carrier = path.command === undefined ? undefined : this.start("balancer", path.command);
    await this.#answers(path.url);
    const close = options.newConnections ? ["-H", "Connection: close"] : [];
    const wrk = ["wrk", "-t1", "-c64", `-d${options.seconds}s`, "--latency", ...close, path.url];
    const output = inside("client", ...wrk);
    if (carrier !== undefined) await stop(carrier);
    const requestsPerS = Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1] ?? Number.NaN);
    return { requestsPerS, p99Ms: milliseconds(/99%\s+(\S+)/.exec(output)?.[1] ?? "") };
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
  start(place: Place, command: readonly string[], { ipc = false } = {}): ChildProcess {
    const stdio = ["ignore", "ignore", "inherit", ...(ipc ? ["ipc" as const] : [])] as const;
    const child = spawn("ip", ["netns", "exec", nameOf(place), ...command], { stdio: [...stdio] });
    this.#started.push(child);
    return child;
  }

  async #answers(url: string): Promise<void> {
    for (let attempt = 0; attempt < 100; attempt += 1) {
      const { status } = spawnSync("ip", ["netns", "exec", nameOf("client"), "curl", "-sf", "-m1", "-o/dev/null", url]);
      if (status === 0) return;
      await sleep(50);
    }
    throw new Error(`Nothing answers at ${url} after 100 attempts`);
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

/** `310.00us`, `1.02ms`, `2.00s`. */
function milliseconds(text: string): number {
  const factor = text.endsWith("us") ? 1e-3 : text.endsWith("ms") ? 1 : 1e3;
  return Number.parseFloat(text) * factor;
}

const NGINX_CONFIG = `daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log stderr crit;
events { worker_connections 8192; }
http {
  access_log off; keepalive_requests 1000000000;
  server { listen ${BACKEND}:${BACKEND_PORT} backlog=4096; location / { return 200 "hello from the backend 29 by\\n"; } }
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
listen bench
  bind ${VIP}:${PORT} backlog 4096
  server backend ${BACKEND}:${BACKEND_PORT}
`;
