import { type Balancer, freePorts, isInstalled, TestBed } from "./l4-bed.ts";
import type { BenchTable } from "./table.ts";

/** How long {@link benchL4} takes: rounds × programs × 2 loads × seconds. */
export interface BenchL4Options {
  /** Every program is measured once a round, in turns, because a shared machine drifts. Default 5. */
  readonly rounds?: number;
  /** Of one measurement. Default 2. */
  readonly seconds?: number;
}

/** What is done to a balancer while it is measured. */
export interface Load {
  readonly column: string;
  readonly newConnections: boolean;
  /** Times HAProxy's cost. */
  readonly target: number;
}

const LOADS: readonly Load[] = [
  { column: "keep-alive", newConnections: false, target: 1.3 },
  { column: "connection a request", newConnections: true, target: 2 },
];
const BASELINE = "HAProxy";
const TITLE = "L4 TCP: CPU µs per request (user + system of one worker), 64 connections, 29-byte responses";

/** What a TCP connection costs in FiberLB, in HAProxy (mode tcp) and in a plain `socket.pipe`. */
export async function benchL4({ rounds = 5, seconds = 2 }: BenchL4Options = {}): Promise<BenchTable> {
  const columns = ["program", ...LOADS.flatMap(({ column }) => [column, `× ${BASELINE}`])];
  if (process.platform !== "linux" || !isInstalled("wrk")) {
    return {
      title: TITLE,
      columns,
      rows: [],
      notes: ["skipped: needs Linux and wrk (apt-get install wrk haproxy nginx)"],
    };
  }
  const bed = new TestBed();
  try {
    const { balancers, backend } = await startAll(bed);
    const costs = await measureAll(bed, balancers, { loads: LOADS, rounds, seconds });
    return { title: TITLE, columns, rows: rowsOf(balancers, costs), notes: notesOf(bed.place, backend, rounds) };
  } finally {
    await bed.close();
  }
}

async function startAll(bed: TestBed): Promise<{ balancers: Balancer[]; backend: string }> {
  const [backendPort, ...ports] = (await freePorts(5)) as [number, number, number, number, number];
  const backend = await bed.startBackend(backendPort);
  const balancers: Balancer[] = [];
  if (isInstalled("haproxy")) balancers.push(await bed.startHaproxy(ports[0], backendPort));
  balancers.push(await bed.startRunner("FiberLB", "fiberlb", { port: ports[1], backendPort }));
  balancers.push(await bed.startRunner("FiberLB, public Node API", "fiberlb-streams", { port: ports[2], backendPort }));
  balancers.push(await bed.startRunner("node socket.pipe", "pipe", { port: ports[3], backendPort }));
  return { balancers, backend };
}

/** Figures of every round by load and program. */
export type Costs = ReadonlyMap<Load, ReadonlyMap<string, readonly number[]>>;

/** Every balancer under every load, round by round. */
export async function measureAll(
  bed: TestBed,
  balancers: readonly Balancer[],
  options: Required<BenchL4Options> & { readonly loads: readonly Load[] },
): Promise<Costs> {
  const { loads } = options;
  const costs = new Map(loads.map((load) => [load, new Map(balancers.map(({ name }) => [name, [] as number[]]))]));
  // Compilers and caches warm up before anything counts.
  for (let round = -1; round < options.rounds; round += 1) {
    for (const load of loads) {
      for (const balancer of balancers) {
        const cost = await bed.measure(balancer, { seconds: options.seconds, newConnections: load.newConnections });
        if (round >= 0) costs.get(load)?.get(balancer.name)?.push(cost);
      }
    }
  }
  return costs;
}

function rowsOf(balancers: readonly Balancer[], costs: Costs): string[][] {
  return balancers.map(({ name }) => [
    name,
    ...LOADS.flatMap((load) => {
      const own = costs.get(load)?.get(name) ?? [];
      const baseline = costs.get(load)?.get(BASELINE);
      // Of each round the ratio, then the median: drift of the machine hits both sides of one ratio.
      const ratio = baseline && median(own.map((cost, round) => cost / baseline[round]!)).toFixed(2);
      return [median(own).toFixed(1), ratio ?? "–"];
    }),
  ]);
}

function notesOf(place: string, backend: string, rounds: number): string[] {
  const targets = LOADS.map(({ column, target }) => `≤ ${target} × ${BASELINE} ${column}`).join(", ");
  const notes = [
    `targets: ${targets}`,
    `median of ${rounds} rounds in turns, in ${place}; backend ${backend}, load wrk`,
  ];
  return isInstalled("haproxy") ? notes : [...notes, "HAProxy is not installed: no ratios (apt-get install haproxy)"];
}

/** The middle one, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
