import type { FiberlbClient, LoadBalancerStatus } from "@fiberlb/api";
import type { Command } from "commander";

import { delay } from "../clock.ts";
import { refusal, usageError } from "../exit.ts";
import type { CliIo } from "../io.ts";
import { resolveId } from "../lookup.ts";
import { paletteFor } from "../output/colour.ts";
import { statusTree } from "../output/status-tree.ts";
import { renderTree } from "../output/tree.ts";
import { listResources } from "../rpc.ts";
import { type Invocation, onServer, withExamples } from "./command.ts";

interface StatusFlags {
  readonly watch: boolean;
  readonly interval: string;
}

/** `fiberlb status [LB]`: what serves, what does not, and why. */
export function addStatus(program: Command, io: CliIo): void {
  const command = program
    .command("status")
    .summary("show load balancers as trees, with status and reason")
    .description(
      "Shows load balancer → listener → pool → backend, each with its status and, where something is wrong, why.",
    )
    .argument("[lb]", "id or name; all load balancers when absent")
    .option("-w, --watch", "show again whenever something changed, until interrupted", false)
    .option("--interval <seconds>", "how often --watch looks", "1");
  withExamples(command, [
    ["fiberlb status", "all load balancers of the project"],
    ["fiberlb status web --watch", "follow one"],
  ]);
  onServer<StatusFlags>(command, io, runStatus);
}

async function runStatus({ args: [name], flags, client, io }: Invocation<StatusFlags>): Promise<void> {
  const render = async (): Promise<string> => renderAll(await loadStatus(client, name), io);
  if (!flags.watch) return io.stdout.write(await render());
  const intervalMs = Number(flags.interval) * 1000;
  if (!(intervalMs >= 100))
    throw usageError(`--interval must be at least 0.1 seconds, not ${JSON.stringify(flags.interval)}`);
  await watch(io, intervalMs, render);
}

/** Trees of one load balancer, or of all in the order of their creation. */
async function loadStatus(client: FiberlbClient, name: string | undefined): Promise<readonly LoadBalancerStatus[]> {
  const ids =
    name === undefined
      ? (await listResources(client, "loadBalancer")).map(({ id }) => id)
      : [await resolveId(client, "loadBalancer", name)];
  const trees = await Promise.all(
    ids.map(async (id) => (await client.loadBalancers.getLoadBalancerStatus({ id })).loadBalancer),
  );
  if (name !== undefined && trees[0] === undefined) throw refusal(`the server gave no status of load balancer ${name}`);
  return trees.filter((tree) => tree !== undefined);
}

function renderAll(trees: readonly LoadBalancerStatus[], { colour }: CliIo): string {
  if (trees.length === 0) return "no load balancers\n";
  const palette = paletteFor(colour);
  return trees.map((tree) => renderTree(statusTree(tree, palette))).join("\n");
}

const CLEAR_SCREEN = "\u001b[2J\u001b[H";

async function watch(io: CliIo, intervalMs: number, render: () => Promise<string>): Promise<void> {
  const stopped = new AbortController();
  const forget = io.onStopSignal(() => stopped.abort());
  let shown = "";
  try {
    while (!stopped.signal.aborted) {
      const text = await render();
      if (text !== shown) io.stdout.write(`${io.isTty ? CLEAR_SCREEN : shown === "" ? "" : "\n"}${text}`);
      shown = text;
      await delay(io.clock, intervalMs, stopped.signal);
    }
  } finally {
    forget();
  }
}
