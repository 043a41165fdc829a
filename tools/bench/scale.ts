import { createFiberlbClient } from "@fiberlb/api";

import { type BenchContext, startFleetNode } from "./bench-context.ts";
import { addHealthChecks, playBackends } from "./fleet.ts";
import { BenchNode } from "./node.ts";
import type { BenchTable } from "./table.ts";

const SIZE = 1000;
/** Long enough for every health check to have run twice. */
const WATCH_MS = 10_000;

interface Footprint {
  readonly rssBytes: number;
  /** Of one second, user and system. */
  readonly cpuMsPerSecond: number;
  readonly longestStallMs: number;
}

/** What a node takes at rest: memory, CPU and time to start, by how many load balancers it has. */
export async function benchScale(context: BenchContext, { size = SIZE } = {}): Promise<BenchTable> {
  const fleetSize = context.quick ? size / 10 : size;
  const idle = await measureIdle(context);
  const label = `${fleetSize.toLocaleString("en")} load balancers`;
  const plain = await measureFleet(fleetSize, { context, checked: false });
  const checked = await measureFleet(fleetSize, { context, checked: true });
  const row = (name: string, { footprint, startMs }: Measured, count: number): string[] => [
    name,
    `${(startMs / 1000).toFixed(2)} s`,
    `${(footprint.rssBytes / 2 ** 20).toFixed(0)} MiB`,
    count === 0 ? "" : `${((footprint.rssBytes - idle.footprint.rssBytes) / count / 1024).toFixed(0)} KiB`,
    `${(footprint.cpuMsPerSecond / 10).toFixed(1)} %`,
    `${footprint.longestStallMs.toFixed(1)} ms`,
  ];
  return {
    title: "Scale: a node at rest, SQLite, 10 backends and a listener per load balancer",
    columns: ["with", "start", "memory", "per load balancer", "CPU of a core", "longest stall"],
    rows: [
      row("nothing", idle, 0),
      row(label, plain, fleetSize),
      row(`${label}, health checks every 5 s`, checked, fleetSize),
    ],
    notes: [
      "Start: until the API is open and every listener of the last configuration is, modules loaded from sources.",
      "Memory: resident set of the whole process, store and workers (one a core) included, after a collection.",
    ],
  };
}

interface Measured {
  readonly footprint: Footprint;
  readonly startMs: number;
}

async function measureIdle({ directory, progress }: BenchContext): Promise<Measured> {
  const node = await BenchNode.start({ store: { sqlite: `${directory}/idle.db` } });
  return watchAndStop(node, progress);
}

async function measureFleet(
  size: number,
  { context, checked }: { readonly context: BenchContext; readonly checked: boolean },
): Promise<Measured> {
  const { node, fleet, store } = await startFleetNode("SQLite", size, context);
  if (!checked) return watchAndStop(node, context.progress);
  const backends = await playBackends(fleet[0]!.backendIds.length);
  try {
    const client = createFiberlbClient({ baseUrl: node.apiUrl });
    await addHealthChecks(client, fleet, context.progress);
    client.close();
    // Another one, so that its start and its memory are those of a node that finds health checks.
    await node.stop();
    return await watchAndStop(await BenchNode.start({ store }), context.progress);
  } finally {
    backends.close();
  }
}

async function watchAndStop(node: BenchNode, progress: BenchContext["progress"]): Promise<Measured> {
  // What its start, or the last change, left to do.
  await watch(node, progress);
  const footprint = await watch(node, progress);
  await node.stop();
  return { footprint, startMs: node.startMs };
}

async function watch(node: BenchNode, progress: BenchContext["progress"]): Promise<Footprint> {
  await node.vitals();
  const beforeMs = await node.cpuMs();
  progress(`scale: watching the node for ${WATCH_MS / 1000} s`);
  await new Promise((resolve) => setTimeout(resolve, WATCH_MS));
  const cpuMsPerSecond = (((await node.cpuMs()) - beforeMs) / WATCH_MS) * 1000;
  const { rssBytes, stalls } = await node.vitals();
  return { rssBytes, cpuMsPerSecond, longestStallMs: stalls.maxMs };
}
