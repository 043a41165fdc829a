import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";

import { createFiberlbClient } from "@fiberlb/api";

import { systemClock } from "./clock.ts";
import type { CliIo, RunningProgram } from "./io.ts";
import { systemRandom } from "./random.ts";

const STOP_SIGNALS = ["SIGTERM", "SIGINT"] as const;

/** The real {@link CliIo}: this process's streams, environment, files and time. */
export function processIo(): CliIo {
  const { stdout, stderr, env } = process;
  const isTty = stdout.isTTY;
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
    onStopSignal: listenForStop,
  };
}

/** https://no-color.org: any value that is not empty turns colours off. */
export function wantsColour(isTty: boolean, env: Readonly<Record<string, string | undefined>>): boolean {
  return isTty && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";
}

function startProgram(command: string, args: readonly string[]): RunningProgram {
  const child = spawn(command, args, { stdio: "inherit" });
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
