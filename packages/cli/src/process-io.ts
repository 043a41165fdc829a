import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";

import { createFiberlbClient } from "@fiberlb/api";

import { systemClock } from "./clock.ts";
import type { CliIo, RunningProgram } from "./io.ts";
import { systemRandom } from "./random.ts";

const STOP_SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP"] as const;

/** The real {@link CliIo}: this process's streams, environment, files and time. */
export function processIo(): CliIo {
  const { stdout, stderr, env } = process;
  const isTty = stdout.isTTY;
  for (const stream of [stdout, stderr]) tolerateClosedPipe(stream);
  return {
    stdout: { write: (out) => void stdout.write(out) },
    stderr: { write: (out) => void stderr.write(out) },
    readStdin: () => text(process.stdin),
    readFile: (path) => readFile(path, "utf8"),
    env,
    isTty,
    colour: wantsColour(isTty, env),
    columns: isTty ? stdout.columns : undefined,
    clock: systemClock,
    random: systemRandom,
    createClient: createFiberlbClient,
    spawn: startProgram,
    addressTowards,
    onStopSignal: listenForStop,
  };
}

const tolerant = new WeakSet<NodeJS.WriteStream>();

/** `fiberlb get lb | head -1`: that nobody reads on is no failure of ours. */
function tolerateClosedPipe(stream: NodeJS.WriteStream): void {
  if (tolerant.has(stream)) return;
  tolerant.add(stream);
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}

/** https://no-color.org: any value that is not empty turns colours off. */
export function wantsColour(isTty: boolean, env: Readonly<Record<string, string | undefined>>): boolean {
  return isTty && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";
}

function startProgram(command: string, args: readonly string[]): RunningProgram {
  // A group of its own: Ctrl-C must reach the program only after it was drained.
  const child = spawn(command, args, { stdio: "inherit", detached: true });
  return {
    ended: new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code, signal) => resolve({ code, signal }));
    }),
    kill: (signal) => void child.kill(signal),
  };
}

function listenForStop(fn: (signal: NodeJS.Signals) => void): () => void {
  for (const signal of STOP_SIGNALS) process.on(signal, fn);
  return () => {
    for (const signal of STOP_SIGNALS) process.off(signal, fn);
  };
}

/** Connecting a UDP socket sends nothing, but makes the system choose the source address. */
export async function addressTowards(serverUrl: string): Promise<string> {
  const { hostname, port } = new URL(serverUrl);
  const { address, family } = await lookup(hostname.replace(/^\[(.*)\]$/, "$1"));
  const socket = createSocket(family === 6 ? "udp6" : "udp4");
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.connect(Number(port) || 80, address, resolve);
    });
    return socket.address().address;
  } finally {
    socket.close();
  }
}
