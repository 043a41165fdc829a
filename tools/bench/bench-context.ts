import { copyFileSync } from "node:fs";
import { join } from "node:path";

import { createFiberlbClient } from "@fiberlb/api";

import { createFleet, type FleetMember } from "./fleet.ts";
import { BenchNode, type BenchNodeOptions } from "./node.ts";
import type { Progress } from "./progress.ts";

/** What the suites that start nodes are given. */
export interface BenchContext {
  /** For store files; removed by whoever made it. */
  readonly directory: string;
  readonly progress: Progress;
  /** A tenth of the size: to see that it works, not to publish. */
  readonly quick: boolean;
}

export type StoreKind = "memory" | "SQLite";

/** A node that holds a fleet. */
export interface FleetNode {
  readonly node: BenchNode;
  readonly fleet: readonly FleetMember[];
  /** To start another node on the same, once this one has stopped; of `memory` nothing is left. */
  readonly store: BenchNodeOptions["store"];
}

const BACKENDS_EACH = 10;
/** SQLite files with fleets: making one takes a while, a copy does not. */
const files = new Map<string, { readonly path: string; readonly fleet: readonly FleetMember[] }>();

/** Starts a node on a store of that kind that holds so many load balancers with ten backends each. */
export async function startFleetNode(kind: StoreKind, size: number, context: BenchContext): Promise<FleetNode> {
  if (kind === "memory") {
    const node = await BenchNode.start({ store: "memory" });
    return { node, fleet: await fill(node, size, context), store: "memory" };
  }
  const { path, fleet } = await fleetFile(size, context);
  const store = { sqlite: copyOf(path, context) };
  return { node: await BenchNode.start({ store }), fleet, store };
}

async function fleetFile(
  size: number,
  context: BenchContext,
): Promise<{ path: string; fleet: readonly FleetMember[] }> {
  const path = join(context.directory, `fleet-${size}.db`);
  const known = files.get(path);
  if (known !== undefined) return known;
  const node = await BenchNode.start({ store: { sqlite: path } });
  const made = { path, fleet: await fill(node, size, context) };
  // Stopped in order, its log is folded into the one file.
  await node.stop();
  files.set(path, made);
  return made;
}

let copies = 0;

function copyOf(path: string, { directory }: BenchContext): string {
  const copy = join(directory, `copy-${++copies}.db`);
  copyFileSync(path, copy);
  return copy;
}

async function fill(node: BenchNode, size: number, { progress }: BenchContext): Promise<FleetMember[]> {
  const client = createFiberlbClient({ baseUrl: node.apiUrl });
  try {
    return await createFleet(client, { size, backendsEach: BACKENDS_EACH, progress });
  } finally {
    client.close();
  }
}
