import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const RUNNER = join(import.meta.dirname, "l4-runner.ts");
const BACKEND =
  "const http=require('node:http');http.createServer((q,s)=>s.end('hello from the backend 29 by\\n')).listen(+process.argv[1],'127.0.0.1')";
/** Where the program under measurement runs. */
export const BALANCER_CORE = 0;
/** Where everything else does. */
export const LOAD_CORE = Math.min(1, availableParallelism() - 1);
const NANOS_PER_TICK = 10_000_000n;

/** A program under measurement. */
export interface Balancer {
  readonly name: string;
  readonly port: number;
  readonly process: ChildProcess;
}

/** Whether a program is installed. */
export function isInstalled(program: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
}

/**
 * Where the programs run: a network namespace of its own when that can be had, otherwise this host's loopback. Ends
 * what it started.
 */
export class TestBed {
  readonly #folder = mkdtempSync(join(tmpdir(), "fiberlb-bench-"));
  readonly #started: ChildProcess[] = [];
  readonly #namespace: string | undefined;

  constructor() {
    const name = `fiberlb-bench-${process.pid}`;
    const made = process.getuid?.() === 0 && spawnSync("ip", ["netns", "add", name]).status === 0;
    this.#namespace = made ? name : undefined;
    if (made) spawnSync("ip", ["-n", name, "link", "set", "lo", "up"]);
  }

  get place(): string {
    return this.#namespace === undefined ? "the host's loopback" : "a network namespace of its own";
  }

  /** @returns the backend's name. */
  async startBackend(port: number): Promise<string> {
    const name = isInstalled("nginx") ? "nginx" : "node:http";
    if (name === "nginx")
      this.start(LOAD_CORE, ["nginx", "-p", this.#folder, "-c", this.#file("nginx.conf", nginxConfig(port))]);
    else this.start(LOAD_CORE, [process.execPath, "-e", BACKEND, String(port)]);
    await this.#listening(port);
    return name;
  }

  /** @param mode what it looks at: bytes, or requests, which it then treats as a listener's defaults do. */
  async startHaproxy(port: number, backendPort: number, mode: "tcp" | "http" = "tcp"): Promise<Balancer> {
    const config = this.#file("haproxy.cfg", haproxyConfig({ port, backendPort, mode }));
    return this.#balancer("HAProxy", port, ["haproxy", "-f", config]);
  }

  /** @param kind as `l4-runner.ts` takes it. */
  async startRunner(
    name: string,
    kind: string,
    ports: { readonly port: number; readonly backendPort: number },
  ): Promise<Balancer> {
    const { port, backendPort } = ports;
    return this.#balancer(name, port, [
      process.execPath,
      "--conditions=@fiberlb/source",
      "--no-warnings",
      RUNNER,
      kind,
      String(port),
      String(backendPort),
    ]);
  }

  /** Loads a balancer and says what one request costs it: CPU microseconds, user and system. */
  async measure(
    balancer: Balancer,
    options: { readonly seconds: number; readonly newConnections: boolean },
  ): Promise<number> {
    const header = options.newConnections ? ["-H", "Connection: close"] : [];
    const before = cpuMicroseconds(balancer.process);
    const url = `http://127.0.0.1:${balancer.port}/`;
    const wrk = this.start(LOAD_CORE, ["wrk", "-t1", "-c64", `-d${options.seconds}s`, ...header, url]);
    let output = "";
    wrk.stdout?.on("data", (text: Buffer) => (output += text.toString()));
    await once(wrk, "close");
    const requests = Number(/(\d+) requests in/.exec(output)?.[1] ?? 0);
    if (requests === 0 || /Non-2xx/.test(output))
      throw new Error(`Cannot measure ${balancer.name}: wrk says\n${output}`);
    return (cpuMicroseconds(balancer.process) - before) / requests;
  }

  async close(): Promise<void> {
    for (const child of this.#started) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    }
    if (this.#namespace !== undefined) spawnSync("ip", ["netns", "delete", this.#namespace]);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #balancer(name: string, port: number, command: readonly string[]): Promise<Balancer> {
    const child = this.start(BALANCER_CORE, command);
    await this.#listening(port);
    return { name, port, process: child };
  }

  /**
   * Starts a program, which ends with the bed. `ip netns exec` and `taskset` become the program they start: the process
   * id is the program's own.
   */
  start(core: number, command: readonly string[]): ChildProcess {
    const pin = isInstalled("taskset") ? ["taskset", "-c", String(core)] : [];
    const enter = this.#namespace === undefined ? [] : ["ip", "netns", "exec", this.#namespace];
    const [program = "", ...args] = [...enter, ...pin, ...command];
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
    this.#started.push(child);
    return child;
  }

  async #listening(port: number): Promise<void> {
    for (let attempt = 0; attempt < 100; attempt += 1) {
      if (await this.#answers(port)) return;
      await sleep(50);
    }
    throw new Error(`Nothing listens on 127.0.0.1:${port} after 5 s`);
  }

  async #answers(port: number): Promise<boolean> {
    const script =
      "require('node:net').connect(+process.argv[1],'127.0.0.1',()=>process.exit(0)).on('error',()=>process.exit(1))";
    const [code] = (await once(this.start(LOAD_CORE, [process.execPath, "-e", script, String(port)]), "exit")) as [
      number,
    ];
    return code === 0;
  }

  #file(name: string, text: string): string {
    const path = join(this.#folder, name);
    writeFileSync(path, text);
    return path;
  }
}

/** Ports of this host that are free now. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => net.createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as net.AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}

/** User and system time so far: fields 14 and 15 of /proc/PID/stat, in ticks of 10 ms. */
export function cpuMicroseconds({ pid }: ChildProcess): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number((BigInt(fields[11]!) + BigInt(fields[12]!)) * NANOS_PER_TICK) / 1000;
}

function nginxConfig(port: number): string {
  return `daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log stderr crit;
events { worker_connections 8192; }
http {
  access_log off; keepalive_requests 1000000000;
  server { listen 127.0.0.1:${port} backlog=4096; location / { return 200 "hello from the backend 29 by\\n"; } }
}
`;
}

/** What an HTTP listener does by default. */
const HAPROXY_HTTP = `  http-reuse always
  option forwardfor
  unique-id-format %{+X}o%ci%cp%Ts%rt
  unique-id-header X-Request-Id
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Port %[dst_port]
`;

interface HaproxyOptions {
  readonly port: number;
  readonly backendPort: number;
  readonly mode: "tcp" | "http";
}

function haproxyConfig({ port, backendPort, mode }: HaproxyOptions): string {
  return `global
  nbthread 1
  maxconn 8192
defaults
  mode ${mode}
  timeout connect 5s
  timeout client 350s
  timeout server 350s
listen bench
  bind 127.0.0.1:${port} backlog 4096
${mode === "http" ? HAPROXY_HTTP : ""}  server backend 127.0.0.1:${backendPort}
`;
}
