import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

import { BALANCER_CORE, cpuMicroseconds, freePorts, LOAD_CORE, TestBed } from "./l4-bed.ts";
import { median } from "./l4.ts";
import type { BenchTable } from "./table.ts";
import type { UdpLoadResult } from "./udp-load.ts";

/** How long {@link benchUdp} takes: rounds × programs × 2 loads × seconds. */
export interface BenchUdpOptions {
  /** Every program is measured once a round, in turns, because a shared machine drifts. Default 5. */
  readonly rounds?: number;
  /** Of one measurement. Default 2. */
  readonly seconds?: number;
}

/** What is asked for, and how. */
interface Load {
  readonly kind: "flows" | "questions";
  readonly column: string;
  /** What the cost is divided by, of one answered question. */
  readonly units: number;
}

interface Program {
  readonly name: string;
  /** As `udp-runner.ts` takes it; undefined = the backend without anything between. */
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
export async function benchUdp({ rounds = 5, seconds = 2 }: BenchUdpOptions = {}): Promise<BenchTable> {
  const columns = ["program", ...LOADS.flatMap(({ column }) => [column, "datagrams/s", "lost"])];
  if (process.platform !== "linux") return { title: TITLE, columns, rows: [], notes: ["skipped: needs Linux"] };
  const bed = new TestBed();
  try {
    const running = await startAll(bed);
    const figures = await measureAll(bed, running, { rounds, seconds });
    const notes = [
      `median of ${rounds} rounds in turns, in ${bed.place}; load and backend share the other core and set the rates`,
      "a flow of one question: a new client port each time, idle timeout 0.5 s, its end included",
    ];
    return { title: TITLE, columns, rows: running.map(({ name }) => [name, ...cells(figures, name)]), notes };
  } finally {
    await bed.close();
  }
}

async function startAll(bed: TestBed): Promise<Running[]> {
  const ports = await freePorts(PROGRAMS.length);
  const [backendPort] = ports as [number];
  await start(bed, { core: LOAD_CORE, kind: "echo", ports: [backendPort] });
  const running: Running[] = [];
  for (const [index, { name, kind }] of PROGRAMS.entries()) {
    const port = ports[index]!;
    const child =
      kind === undefined ? undefined : await start(bed, { core: BALANCER_CORE, kind, ports: [port, backendPort] });
    running.push({ name, port, process: child });
  }
  return running;
}

async function start(
  bed: TestBed,
  { core, kind, ports }: { readonly core: number; readonly kind: string; readonly ports: readonly number[] },
): Promise<ChildProcess> {
  const child = bed.start(core, nodeCommand("udp-runner.ts", [kind, ...ports.map(String)]));
  await once(child.stdout!, "data");
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
  bed: TestBed,
  running: readonly Running[],
  { rounds, seconds }: Required<BenchUdpOptions>,
): Promise<Map<string, Figures[]>> {
  const figures = new Map<string, Figures[]>();
  // Compilers and caches warm up before anything counts.
  for (let round = -1; round < rounds; round += 1) {
    for (const load of LOADS) {
      for (const program of running) {
        const measured = await measure(bed, program, { load, seconds });
        const key = keyOf(program.name, load);
        if (round >= 0) figures.set(key, [...(figures.get(key) ?? []), measured]);
      }
    }
  }
  return figures;
}

async function measure(
  bed: TestBed,
  program: Running,
  { load, seconds }: { readonly load: Load; readonly seconds: number },
): Promise<Figures> {
  const before = program.process === undefined ? 0 : cpuMicroseconds(program.process);
  const args = [program.port, seconds, CLIENTS, load.kind].map(String);
  const child = bed.start(LOAD_CORE, nodeCommand("udp-load.ts", args));
  let output = "";
  child.stdout?.on("data", (text: Buffer) => (output += text.toString()));
  await once(child, "close");
  const { answered, lost } = JSON.parse(output) as UdpLoadResult;
  if (answered === 0) throw new Error(`Cannot measure ${program.name}: none of ${lost} questions was answered`);
  const after = program.process === undefined ? Number.NaN : cpuMicroseconds(program.process);
  return {
    microseconds: (after - before) / answered / load.units,
    datagramsPerSecond: (answered * 2) / seconds,
    lostPercent: (lost * 100) / (answered + lost),
  };
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
