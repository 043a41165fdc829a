import { Code, ConnectError } from "@connectrpc/connect";
import { describeError, fromMessage, type Node as NodeMessage, NodeSchema } from "@fiberlb/api";
import type { Node } from "@fiberlb/types";
import type { Command } from "commander";

import { delay } from "../clock.ts";
import type { Session } from "../connection.ts";
import { refusal, usageError } from "../exit.ts";
import type { CliIo } from "../io.ts";
import { drainLeft } from "../output/columns.ts";
import { type Invocation, onServer, withExamples } from "./command.ts";

interface DrainFlags {
  readonly timeout: string;
  readonly wait: boolean;
}

const DEFAULT_TIMEOUT_S = 300;
const LOOK_MS = 500;

/** `fiberlb drain NODE`. */
export function addDrain(program: Command, io: CliIo): void {
  const command = program
    .command("drain")
    .summary("take a node out of service, and wait until it carries nothing")
    .description(
      "Has a node withdraw its VIPs and finish its connections, and waits until it is DRAINED. It stays out of service, also over restarts, until `fiberlb undrain`.",
    )
    .argument("<node>", "name of the node; `fiberlb get nodes` lists them")
    .option("--timeout <seconds>", "how long to wait; the node goes on draining after that", String(DEFAULT_TIMEOUT_S))
    .option("--no-wait", "only give the order");
  withExamples(command, [
    ["fiberlb drain lb-2", "before an upgrade or a reboot of lb-2"],
    ["fiberlb drain lb-2 --timeout 3600", "connections there live long"],
    ["fiberlb undrain lb-2", "back in service"],
  ]);
  onServer<DrainFlags>(command, io, runDrain);
}

/** `fiberlb undrain NODE`. */
export function addUndrain(program: Command, io: CliIo): void {
  const command = program
    .command("undrain")
    .summary("put a node back in service")
    .description("Takes back `fiberlb drain`: the node announces its VIPs again as soon as it can serve them.")
    .argument("<node>", "name of the node");
  withExamples(command, [["fiberlb undrain lb-2", ""]]);
  onServer(command, io, async ({ args: [name = ""], client }) => {
    const { node } = await client.nodes.undrainNode({ name });
    io.stdout.write(`node ${name} is in service again${node?.state === READY ? "" : " as soon as it hears of it"}\n`);
  });
}

const READY = 1;

async function runDrain({ args: [name = ""], flags, ...session }: Invocation<DrainFlags>): Promise<void> {
  const timeoutMs = Number(flags.timeout) * 1000;
  if (!(timeoutMs > 0)) throw usageError(`--timeout must be a number of seconds, not ${JSON.stringify(flags.timeout)}`);
  const { client, io } = session;
  const { node } = await client.nodes.drainNode({ name });
  if (!flags.wait) return io.stdout.write(`node ${name} has been told to drain\n`);
  const deadlineMs = io.clock.nowMs() + timeoutMs;
  const stopped = new AbortController();
  const forget = io.onStopSignal(() => stopped.abort());
  try {
    await follow(session, { name, first: node, deadlineMs, stopped: stopped.signal });
  } finally {
    forget();
  }
}

interface Wait {
  readonly name: string;
  readonly first: NodeMessage | undefined;
  readonly deadlineMs: number;
  readonly stopped: AbortSignal;
}

/** Shows what is left, a line for each change, until nothing is. */
async function follow({ client, io }: Session, { name, first, deadlineMs, stopped }: Wait): Promise<void> {
  let node = plain(first);
  let shown = "";
  const show = (line: string): void => {
    if (line !== shown) io.stdout.write(`${line}\n`);
    shown = line;
  };
  for (;;) {
    if (node?.state === "DRAINED") return show(`node ${name} is drained; \`fiberlb undrain ${name}\` puts it back`);
    const left = node === undefined ? "" : drainLeft(node);
    if (left !== "") show(`node ${name} drains: ${left}`);
    const how = `it goes on draining; \`fiberlb undrain ${name}\` takes the order back`;
    if (stopped.aborted) throw refusal(`interrupted before node ${name} was drained: ${how}`);
    if (io.clock.nowMs() >= deadlineMs)
      throw refusal(
        `node ${name} is not drained in time: ${left === "" ? "it has not said how far it is" : left}; ${how}`,
      );
    await delay(io.clock, LOOK_MS, stopped);
    try {
      node = plain((await client.nodes.getNode({ name })).node);
    } catch (error) {
      const { code } = ConnectError.from(error);
      if (code === Code.NotFound) throw refusal(`node ${name} went away before it was drained${left && `: ${left}`}`);
      // The server may be restarting, or its store away: that is no reason to give up.
      if (code !== Code.Unavailable) throw error;
      show(`cannot ask for node ${name}, trying again: ${describeError(error)}`);
    }
  }
}

const plain = (node: NodeMessage | undefined): Node | undefined =>
  node === undefined ? undefined : (fromMessage(NodeSchema, node) as unknown as Node);
