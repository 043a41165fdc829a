/** Entry point of a FiberLB node in a process of its own, so that its memory and its event loop are nobody else's. */
import { monitorEventLoopDelay } from "node:perf_hooks";

import { type Log, parseConfig, startServer } from "@fiberlb/server";

import type { FromNode, NodeMemory, NodeSettings, ToNode } from "./node.ts";
import { type ThreadMemory, WorkerThreads } from "./worker-threads.ts";

const RESOLUTION_MS = 1;

const settings = JSON.parse(process.argv[2] ?? "{}") as NodeSettings;
const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

/** CLOCK_MONOTONIC: the same in every process of the machine. */
const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6;
const tell = (message: FromNode): void => void process.send?.(message);

const log: Log = {
  debug(event, fields = {}) {
    if (event !== "configuration applied") return;
    tell({ kind: "applied", revision: fields["revision"] as number, atMs: monotonicMs() });
  },
  info() {},
  // Backends that nobody plays are reported OFFLINE, thousands of them.
  warn() {},
  error: (event, fields) => console.error(event, fields),
};

async function main(): Promise<void> {
  const parsed = parseConfig({ env: {}, flags: settings.flags });
  if (!parsed.ok) throw new Error(parsed.problems.join("\n"));
  const startedMs = monotonicMs();
  const server = await startServer({ config: parsed.config, log, version: "bench" });
  tell({ kind: "up", apiUrl: server.apiUrl, tookMs: monotonicMs() - startedMs });
  delays.enable();
  process.on("message", (message: ToNode) => {
    // Nothing here is worth draining.
    if (message.kind === "stop") void server.stop().then(() => process.exit(0));
    else void answer(message.kind).then(tell);
  });
  process.on("disconnect", () => process.exit(1));
}

const threads = new WorkerThreads();

async function answer(question: Exclude<ToNode["kind"], "stop">): Promise<FromNode> {
  switch (question) {
    case "vitals":
      return { kind: "vitals", vitals: vitals() };
    case "cpu":
      return { kind: "cpu", cpuMs: cpuMs() };
    case "memory":
      return { kind: "memory", memory: await memory() };
    case "start-profile":
      await threads.startProfiles();
      return { kind: "profiling" };
    case "stop-profile":
      return { kind: "profile", profiles: await threads.stopProfiles() };
  }
}

async function memory(): Promise<NodeMemory> {
  globalThis.gc?.();
  const workers = await threads.collectGarbage();
  const { rss, heapUsed, external } = process.memoryUsage();
  const sum = (first: number, key: keyof ThreadMemory): number =>
    workers.reduce((bytes, worker) => bytes + worker[key], first);
  return { rssBytes: rss, heapBytes: sum(heapUsed, "heapBytes"), externalBytes: sum(external, "externalBytes") };
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function vitals(): Extract<FromNode, { kind: "vitals" }>["vitals"] {
  const stalls = { p99Ms: stallMs(delays.percentile(99)), maxMs: stallMs(delays.max), samples: delays.count };
  globalThis.gc?.();
  const rssBytes = process.memoryUsage.rss();
  // The collection that was just asked for is no stall of the server's.
  delays.reset();
  return { rssBytes, stalls };
}

/** The histogram holds the time between two ticks, in nanoseconds. */
const stallMs = (tickNs: number): number => Math.max(0, tickNs / 1e6 - RESOLUTION_MS);

await main();
