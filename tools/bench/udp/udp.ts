import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

import type { IsolatedOptions, Sections } from "../isolation.ts";
import { median } from "../load.ts";
import { BALANCER_CORE, cpuTimes, freePorts, LOAD_CORE, Processes } from "../processes.ts";
import type { UdpLoadResult } from "./load-process.ts";

const ROUNDS = 5;
const SECONDS = 2;

/** What is asked for, and how. */
interface Load {
  readonly kind: "flows" | "questions";
  readonly column: string;
  /** What the cost is divided by, of one answered question. */
  readonly units: number;
}

interface Program {
  readonly name: string;
  /** As `runner.ts` takes it; undefined = the backend without anything between. */
  readonly kind: string | undefined;
}

interface Figures {
  readonly microseconds: number;
  readonly datagramsPerSecond: number;
  readonly lostPercent: number;
}

interface Running {
  readonly name: string;
  readonly port: number;
  readonly process: ChildProcess | undefined;
}

const LOADS: readonly Load[] = [
  // A question and its answer.
  { kind: "flows", column: "CPU µs a datagram", units: 2 },
  { kind: "questions", column: "CPU µs a one-question flow", units: 1 },
];
const PROGRAMS: readonly Program[] = [
  { name: "no balancer", kind: undefined },
  { name: "FiberLB", kind: "fiberlb" },
  { name: "FiberLB, public Node API", kind: "fiberlb-dgram" },
  { name: "node:dgram relay", kind: "relay" },
];
const CLIENTS = 64;
const TITLE = `UDP: CPU (user + system) of one worker, ${CLIENTS} clients, 100-byte datagrams`;

/** What a datagram costs, and a flow of one question and one answer; loss is counted. */
export async function benchUdp({ quick, place }: IsolatedOptions): Promise<Sections> {
  const columns = ["program", ...LOADS.flatMap(({ column }) => [column, "datagrams/s", "lost"])];
  const rounds = quick ? 1 : ROUNDS;
  const processes = new Processes();
  try {
    const running = await startAll(processes);
    const figures = await measureAll(processes, running, { rounds, seconds: quick ? 1 : SECONDS });
    const notes = [
      `median of ${rounds} rounds in turns, ${place}; load and backend share the other core and set the rates`,
      "lost: the worst round; a flow of one question: a new client port each time, idle timeout 0.5 s, its end included",
    ];
    return { udp: { title: TITLE, columns, rows: running.map(({ name }) => [name, ...cells(figures, name)]), notes } };
  } finally {
    await processes.close();
  }
}

async function startAll(processes: Processes): Promise<Running[]> {
  const ports = await freePorts(PROGRAMS.length);
  const [backendPort] = ports as [number];
  await start(processes, { core: LOAD_CORE, kind: "echo", ports: [backendPort] });
  const running: Running[] = [];
  for (const [index, { name, kind }] of PROGRAMS.entries()) {
    const port = ports[index]!;
    const child =
      kind === undefined
        ? undefined
        : await start(processes, { core: BALANCER_CORE, kind, ports: [port, backendPort] });
    running.push({ name, port, process: child });
  }
  return running;
}

async function start(
  processes: Processes,
  { core, kind, ports }: { readonly core: number; readonly kind: string; readonly ports: readonly number[] },
): Promise<ChildProcess> {
  const child = processes.start(core, nodeCommand("runner.ts", [kind, ...ports.map(String)]));
  if (child.stdout !== null) await once(child.stdout, "data");
  return child;
}

const nodeCommand = (script: string, args: readonly string[]): string[] => [
  process.execPath,
  "--conditions=@fiberlb/source",
  "--no-warnings",
  join(import.meta.dirname, script),
  ...args,
];

async function measureAll(
  processes: Processes,
  running: readonly Running[],
  { rounds, seconds }: { readonly rounds: number; readonly seconds: number },
): Promise<Map<string, Figures[]>> {
  const figures = new Map<string, Figures[]>();
  // Compilers and caches warm up before anything counts.
  for (let round = -1; round < rounds; round += 1) {
    for (const load of LOADS) {
      for (const program of running) {
        const measured = await measure(processes, program, { load, seconds });
        const key = keyOf(program.name, load);
        if (round >= 0) figures.set(key, [...(figures.get(key) ?? []), measured]);
      }
    }
  }
  return figures;
}

async function measure(
  processes: Processes,
  program: Running,
  { load, seconds }: { readonly load: Load; readonly seconds: number },
): Promise<Figures> {
  const before = cpuMicroseconds(program);
  const args = [program.port, seconds, CLIENTS, load.kind].map(String);
  const output = await processes.run(LOAD_CORE, nodeCommand("load-process.ts", args));
  const { answered, lost } = JSON.parse(output) as UdpLoadResult;
  if (answered === 0) throw new Error(`Cannot measure ${program.name}: none of ${lost} questions was answered`);
  return {
    microseconds: (cpuMicroseconds(program) - before) / answered / load.units,
    datagramsPerSecond: (answered * 2) / seconds,
    lostPercent: (lost * 100) / (answered + lost),
  };
}

/** NaN when nothing is between client and backend. */
function cpuMicroseconds({ process: child }: Running): number {
  if (child?.pid === undefined) return Number.NaN;
  const { userUs, systemUs } = cpuTimes(child.pid);
  return userUs + systemUs;
}

function cells(figures: ReadonlyMap<string, readonly Figures[]>, name: string): string[] {
  return LOADS.flatMap((load) => {
    const own = figures.get(keyOf(name, load)) ?? [];
    const microseconds = median(own.map((one) => one.microseconds));
    return [
      Number.isNaN(microseconds) ? "–" : microseconds.toFixed(1),
      Math.round(median(own.map(({ datagramsPerSecond }) => datagramsPerSecond))).toString(),
      `${Math.max(...own.map(({ lostPercent }) => lostPercent)).toFixed(2)} %`,
    ];
  });
}

const keyOf = (name: string, { kind }: Load): string => `${name} ${kind}`;
