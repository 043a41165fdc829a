import { KernelBed, type Measured, type Path, whyNotHere } from "./l4-kernel-bed.ts";
import { median } from "./load.ts";
import type { BenchTable } from "./table.ts";

/** How long {@link benchL4Kernel} takes: rounds × paths × 2 loads × seconds. */
export interface BenchL4KernelOptions {
  /** Every path is measured once a round, in turns, because a shared machine drifts. Default 5. */
  readonly rounds?: number;
  /** Of one measurement. Default 2. */
  readonly seconds?: number;
}

const TITLE =
  "L4 over the network: one HTTP client (64 connections), one balancer, one backend, in three network namespaces";
const COLUMNS = ["path", "requests/s", "× HAProxy", "× no balancer", "p99 ms", "connections/s", "× HAProxy"];
const NEEDED = ["nft", "haproxy", "nginx", "wrk", "curl"];

type Results = ReadonlyMap<string, { readonly keepAlive: Measured[]; readonly connections: Measured[] }>;

/** HAProxy's TCP mode, both drivers of FiberLB, and the same way without a balancer. */
export async function benchL4Kernel({ rounds = 5, seconds = 2 }: BenchL4KernelOptions = {}): Promise<BenchTable> {
  const why = whyNotHere(NEEDED);
  if (why !== "") return { title: TITLE, columns: COLUMNS, rows: [], notes: [`skipped: ${why}`] };
  const bed = new KernelBed();
  try {
    await bed.startBackend();
    const paths = bed.paths();
    const results: Results = new Map(paths.map(({ name }) => [name, { keepAlive: [], connections: [] }]));
    for (let round = 0; round < rounds; round += 1) {
      for (const path of paths) {
        results.get(path.name)?.keepAlive.push(await bed.measure(path, { seconds, newConnections: false }));
        results.get(path.name)?.connections.push(await bed.measure(path, { seconds, newConnections: true }));
      }
    }
    return { title: TITLE, columns: COLUMNS, rows: rowsOf(paths, results), notes: notesOf(rounds) };
  } finally {
    await bed.close();
  }
}

function rowsOf(paths: readonly Path[], results: Results): string[][] {
  const [haproxy, direct] = [paths[0]?.name ?? "", paths.at(-1)?.name ?? ""];
  const rates = (name: string, load: "keepAlive" | "connections"): number[] =>
    (results.get(name)?.[load] ?? []).map(({ requestsPerS }) => requestsPerS);
  // Of each round the ratio, then the median: drift of the machine hits both sides of one ratio.
  const ratio = (name: string, to: string, load: "keepAlive" | "connections"): string => {
    const base = rates(to, load);
    return median(rates(name, load).map((rate, round) => rate / base[round]!)).toFixed(2);
  };
  return paths.map(({ name }) => [
    name,
    median(rates(name, "keepAlive")).toFixed(0),
    ratio(name, haproxy, "keepAlive"),
    ratio(name, direct, "keepAlive"),
    median((results.get(name)?.keepAlive ?? []).map(({ p99Ms }) => p99Ms)).toFixed(2),
    median(rates(name, "connections")).toFixed(0),
    ratio(name, haproxy, "connections"),
  ]);
}

const notesOf = (rounds: number): string[] => [
  "targets: nftables ≥ 1.6 × HAProxy's requests/s and ≥ 0.95 × those without a balancer",
  `median of ${rounds} rounds in turns; 29-byte responses of nginx; HAProxy one thread, FiberLB one worker; nothing is pinned`,
];
