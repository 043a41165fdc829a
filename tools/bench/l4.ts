import type { ChildProcess } from "node:child_process";
import { join } from "node:path";

import type { IsolatedOptions, Sections } from "./isolation.ts";
import { connectionEach, keepAlive, type Load } from "./l7/loads.ts";
import { nginxBackendConfig } from "./l7/nginx.ts";
import { median } from "./load.ts";
import { BALANCER_CORE, cpuTimes, freePorts, isInstalled, LOAD_CORE, Processes, untilListening } from "./processes.ts";

const ROUNDS = 5;
const SECONDS = 2;
const RUNNER = join(import.meta.dirname, "l4-runner.ts");

/** A program under measurement. */
interface Balancer {
  readonly name: string;
  readonly port: number;
  readonly process: ChildProcess;
}

/** What is done to a balancer while it is measured. */
interface L4Case {
  readonly column: string;
  readonly load: Load;
  /** Times HAProxy's cost. */
  readonly target: number;
}

const CASES: readonly L4Case[] = [
  { column: "keep-alive", load: keepAlive, target: 1.3 },
  { column: "connection a request", load: connectionEach, target: 2 },
];
const BASELINE = "HAProxy";
const COLUMNS = ["program", ...CASES.flatMap(({ column }) => [column, `× ${BASELINE}`])];
const TITLE = "L4 TCP: CPU µs per request (user + system of one worker), 64 connections, 29-byte responses";

/** What a TCP connection costs in FiberLB, in HAProxy (mode tcp) and in a plain `socket.pipe`. */
export async function benchL4({ quick, place }: IsolatedOptions): Promise<Sections> {
  if (!["wrk", "nginx"].every(isInstalled)) {
    const notes = ["skipped: needs Linux, wrk and nginx (apt-get install wrk nginx haproxy)"];
    return { l4: { title: TITLE, columns: COLUMNS, rows: [], notes } };
  }
  const rounds = quick ? 1 : ROUNDS;
  const processes = new Processes();
  try {
    const balancers = await startAll(processes);
    const costs = await measureAll(processes, balancers, { rounds, seconds: quick ? 1 : SECONDS });
    return { l4: { title: TITLE, columns: COLUMNS, rows: rowsOf(balancers, costs), notes: notesOf(place, rounds) } };
  } finally {
    await processes.close();
  }
}

async function startAll(processes: Processes): Promise<Balancer[]> {
  const [backendPort, ...ports] = (await freePorts(5)) as [number, number, number, number, number];
  const backend = processes.file("nginx.conf", nginxBackendConfig(backendPort));
  processes.start(LOAD_CORE, ["nginx", "-p", processes.folder, "-c", backend]);
  await untilListening(backendPort);
  const start = async (name: string, port: number, command: readonly string[]): Promise<Balancer> => {
    const child = processes.start(BALANCER_CORE, command);
    await untilListening(port);
    return { name, port, process: child };
  };
  const node = [process.execPath, "--conditions=@fiberlb/source", "--no-warnings", RUNNER];
  const run = (name: string, kind: string, port: number): Promise<Balancer> =>
    start(name, port, [...node, kind, String(port), String(backendPort)]);
  const config = processes.file("haproxy.cfg", haproxyConfig(ports[0], backendPort));
  return [
    ...(isInstalled("haproxy") ? [await start(BASELINE, ports[0], ["haproxy", "-f", config])] : []),
    await run("FiberLB", "fiberlb", ports[1]),
    await run("FiberLB, public Node API", "fiberlb-streams", ports[2]),
    await run("node socket.pipe", "pipe", ports[3]),
  ];
}

/** Figures of every round by load and program. */
type Costs = ReadonlyMap<L4Case, ReadonlyMap<string, readonly number[]>>;

/** Every balancer under every load once a round, in turns, because a shared machine drifts. */
async function measureAll(
  processes: Processes,
  balancers: readonly Balancer[],
  { rounds, seconds }: { readonly rounds: number; readonly seconds: number },
): Promise<Costs> {
  const costs = new Map(CASES.map((one) => [one, new Map(balancers.map(({ name }) => [name, [] as number[]]))]));
  // Compilers and caches warm up before anything counts.
  for (let round = -1; round < rounds; round += 1) {
    for (const one of CASES) {
      for (const balancer of balancers) {
        const cost = await measure(processes, balancer, { load: one.load, seconds });
        if (round >= 0) costs.get(one)?.get(balancer.name)?.push(cost);
      }
    }
  }
  return costs;
}

/** What one request costs a balancer: CPU microseconds, user and system. */
async function measure(
  processes: Processes,
  { port, process: { pid = 0 } }: Balancer,
  { load, seconds }: { readonly load: Load; readonly seconds: number },
): Promise<number> {
  const before = cpuTimes(pid);
  const { requests } = await load({ processes, url: `http://127.0.0.1:${port}/`, seconds });
  const after = cpuTimes(pid);
  return (after.userUs + after.systemUs - before.userUs - before.systemUs) / requests;
}

function rowsOf(balancers: readonly Balancer[], costs: Costs): string[][] {
  return balancers.map(({ name }) => [
    name,
    ...CASES.flatMap((one) => {
      const own = costs.get(one)?.get(name) ?? [];
      const baseline = costs.get(one)?.get(BASELINE);
      // Of each round the ratio, then the median: drift of the machine hits both sides of one ratio.
      const ratio = baseline && median(own.map((cost, round) => cost / baseline[round]!)).toFixed(2);
      return [median(own).toFixed(1), ratio ?? "–"];
    }),
  ]);
}

function notesOf(place: string, rounds: number): string[] {
  const targets = CASES.map(({ column, target }) => `≤ ${target} × ${BASELINE} ${column}`).join(", ");
  const notes = [`targets: ${targets}`, `median of ${rounds} rounds in turns, ${place}; backend nginx, load wrk`];
  return isInstalled("haproxy") ? notes : [...notes, "HAProxy is not installed: no ratios (apt-get install haproxy)"];
}

const haproxyConfig = (port: number, backendPort: number): string => `global
  nbthread 1
  maxconn 8192
defaults
  mode tcp
  timeout connect 5s
  timeout client 350s
  timeout server 350s
listen bench
  bind 127.0.0.1:${port} backlog 4096
  server backend 127.0.0.1:${backendPort}
`;
