import { type Measured, NetworkBed, type Path, whyNotHere } from "./l4-network-bed.ts";
import { median } from "./load.ts";
import type { BenchTable } from "./table.ts";

/** How long {@link benchL4Network} takes: rounds × paths × 4 loads × seconds, and half as much again for starts. */
export interface BenchL4NetworkOptions {
  /** Every path is measured once a round, in turns, because a shared machine drifts. Default 3. */
  readonly rounds?: number;
  /** Of one load. Default 2. */
  readonly seconds?: number;
}

const TITLE = "L4 over the network: one client, one balancer, one backend, in three network namespaces";
const COLUMNS = [
  "path",
  "requests/s",
  "× HAProxy",
  "× no balancer",
  "p99 ms",
  "connections/s",
  "× HAProxy",
  "Gbit/s",
  "× no balancer",
  "UDP packets/s",
];
const NEEDED = ["nft", "haproxy", "nginx", "wrk", "curl", "iperf3"];

type Results = ReadonlyMap<string, Measured[]>;

/** HAProxy's TCP mode, both drivers of FiberLB, direct server return, and the same way without a balancer. */
export async function benchL4Network({ rounds = 3, seconds = 2 }: BenchL4NetworkOptions = {}): Promise<BenchTable> {
  const why = whyNotHere(NEEDED);
  if (why !== "") return { title: TITLE, columns: COLUMNS, rows: [], notes: [`skipped: ${why}`] };
  const bed = new NetworkBed();
  try {
    await bed.startBackend();
    const paths = bed.paths();
    const results: Results = new Map(paths.map(({ name }) => [name, []]));
    for (let round = 0; round < rounds; round += 1) {
      for (const path of paths) results.get(path.name)?.push(await bed.measure(path, seconds));
    }
    return { title: TITLE, columns: COLUMNS, rows: rowsOf(paths, results), notes: notesOf(rounds, seconds) };
  } finally {
    await bed.close();
  }
}

function rowsOf(paths: readonly Path[], results: Results): string[][] {
  const [haproxy = "", direct = ""] = [paths[0]?.name, paths.at(-1)?.name];
  const figures = (name: string, of: keyof Measured): number[] => (results.get(name) ?? []).map((one) => one[of]);
  const middle = (name: string, of: keyof Measured, digits: number): string =>
    figures(name, of).some(Number.isNaN) ? "–" : median(figures(name, of)).toFixed(digits);
  // Of each round the ratio, then the median: drift of the machine hits both sides of one ratio.
  const ratio = (name: string, to: string, of: keyof Measured): string => {
    const base = figures(to, of);
    return median(figures(name, of).map((figure, round) => figure / base[round]!)).toFixed(2);
  };
  return paths.map(({ name }) => [
    name,
    middle(name, "requestsPerS", 0),
    ratio(name, haproxy, "requestsPerS"),
    ratio(name, direct, "requestsPerS"),
    middle(name, "p99Ms", 2),
    middle(name, "connectionsPerS", 0),
    ratio(name, haproxy, "connectionsPerS"),
    middle(name, "gbitPerS", 1),
    ratio(name, direct, "gbitPerS"),
    middle(name, "packetsPerS", 0),
  ]);
}

const notesOf = (rounds: number, seconds: number): string[] => [
  "targets: nftables ≥ 1.6 × HAProxy's requests/s and ≥ 0.95 × those without a balancer; direct server return ≥ 0.95 × the Gbit/s without one",
  `median of ${rounds} rounds in turns, ${seconds} s each; wrk with 64 connections, 29-byte responses of nginx; iperf3, one stream, and datagrams of 64 bytes as fast as they go, those that arrive; HAProxy one thread, FiberLB one worker; nothing is pinned`,
  "the way back of direct server return leads through the balancer's namespace too, which is the router, but past the balancer",
];
