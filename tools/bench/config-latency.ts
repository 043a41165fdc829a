import { connect } from "node:net";

import { createFiberlbClient, type FiberlbClient, ListenerProtocol } from "@fiberlb/api";

import { type BenchContext, type FleetNode, startFleetNode, type StoreKind } from "./bench-context.ts";
import type { FleetMember } from "./fleet.ts";
import { quantile } from "./load.ts";
import { monotonicMs } from "./node.ts";
import type { BenchTable } from "./table.ts";

const TARGET_MS = 50;
const CHANGES = 200;
const NEW_PORT = 9000;
const DEADLINE_MS = 10_000;

/** Milliseconds from the call. */
interface Sample {
  readonly answeredMs: number;
  readonly doneMs: number;
}

/** How long a change of one load balancer among a thousand takes until the data plane serves it. */
export async function benchConfigLatency(context: BenchContext, options: { size?: number } = {}): Promise<BenchTable> {
  const size = context.quick ? 100 : (options.size ?? 1000);
  const rows: string[][] = [];
  for (const kind of ["memory", "SQLite"] as const) rows.push(...(await measureStore(kind, size, context)));
  return {
    title: `Configuration: one change among ${size.toLocaleString("en")} load balancers × 10 backends`,
    columns: ["store: what", "median", "p99", "longest", "target"],
    rows,
    notes: [
      "From the call of the API, over gRPC, one change after the other; all clients and workers share the machine.",
      "A new listener counts until a client's connection to it is open; a weight until every worker has confirmed it.",
      "Stalls: how long the main thread could not turn to anything else, at every tick while this was measured.",
    ],
  };
}

async function measureStore(kind: StoreKind, size: number, context: BenchContext): Promise<string[][]> {
  const { node, fleet } = await startFleetNode(kind, size, context);
  const client = createFiberlbClient({ baseUrl: node.apiUrl });
  try {
    const count = context.quick ? 50 : CHANGES;
    // Not measured: compilers warm up, and what is left of filling the store gets done.
    await measureWeights({ node, fleet }, client, 50);
    await node.vitals();
    context.progress(`configuration: ${count} weights, ${kind}`);
    const weights = await measureWeights({ node, fleet }, client, count);
    context.progress(`configuration: ${count} listeners, ${kind}`);
    const listeners = await measureListeners(fleet, client, count);
    const { stalls } = await node.vitals();
    return [
      row(`${kind}: weight, API has answered`, answered(weights)),
      row(`${kind}: weight, all workers apply it`, done(weights), `< ${TARGET_MS} ms`),
      row(`${kind}: new listener, API has answered`, answered(listeners)),
      row(`${kind}: new listener, first connection`, done(listeners), `< ${TARGET_MS} ms`),
      [`${kind}: main thread stalls`, "", ms(stalls.p99Ms), ms(stalls.maxMs), "< 20 ms"],
    ];
  } finally {
    client.close();
    await node.stop();
  }
}

const answered = (samples: readonly Sample[]): number[] => samples.map(({ answeredMs }) => answeredMs);
const done = (samples: readonly Sample[]): number[] => samples.map(({ doneMs }) => doneMs);
const ms = (value: number): string => `${value.toFixed(1)} ms`;

function row(label: string, samples: readonly number[], target = ""): string[] {
  return [label, ms(quantile(samples, 0.5)), ms(quantile(samples, 0.99)), ms(quantile(samples, 1)), target];
}

async function measureWeights(
  { node, fleet }: Pick<FleetNode, "node" | "fleet">,
  client: FiberlbClient,
  count: number,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (let change = 0; change < count; change++) {
    const id = memberOf(fleet, change).backendIds[change % 10]!;
    const applied = node.applied();
    const startMs = monotonicMs();
    await client.backends.updateBackend({
      backend: { id, weight: nextWeight() },
      updateMask: { paths: ["weight"] },
    });
    const answeredMs = monotonicMs() - startMs;
    samples.push({ answeredMs, doneMs: (await applied).atMs - startMs });
  }
  return samples;
}

async function measureListeners(
  fleet: readonly FleetMember[],
  client: FiberlbClient,
  count: number,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (let change = 0; change < count; change++) {
    const { loadBalancerId, poolId: defaultPoolId, vip } = memberOf(fleet, change);
    const port = NEW_PORT + Math.floor(change / fleet.length);
    const startMs = monotonicMs();
    await client.listeners.createListener({ loadBalancerId, protocol: ListenerProtocol.TCP, port, defaultPoolId });
    const answeredMs = monotonicMs() - startMs;
    await connectUntilOpen(vip, port);
    samples.push({ answeredMs, doneMs: monotonicMs() - startMs });
  }
  return samples;
}

let weights = 0;

/** Never the one that a backend has, which would be no change: they come again after 199 changes. */
const nextWeight = (): number => 2 + (weights++ % 199);

/** Spread over the fleet; 37 has no factor in common with its size. */
const memberOf = (fleet: readonly FleetMember[], change: number): FleetMember => fleet[(change * 37) % fleet.length]!;

async function connectUntilOpen(host: string, port: number): Promise<void> {
  const endMs = monotonicMs() + DEADLINE_MS;
  while (!(await isOpen(host, port))) {
    if (monotonicMs() > endMs)
      throw new Error(`Cannot measure: no listener at ${host}:${port} after ${DEADLINE_MS} ms`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function isOpen(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.resetAndDestroy());
  });
}
