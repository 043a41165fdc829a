import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Program } from "../program.ts";

/** Why wrk can't be used here; empty when it can. */
export const whyNoWrk = spawnSync("wrk", ["-v"]).error === undefined ? "" : "wrk is not installed";

/** What wrk is to do. */
export interface WrkJob {
  readonly url: string;
  /** Kept open; each asks again as soon as it has its answer. */
  readonly connections: number;
  readonly seconds: number;
  /** Default GET; anything else has a small body. */
  readonly method?: string;
  /** A connection a request. */
  readonly newConnections?: boolean;
  /** What stands before the command line, for example `ip netns exec NAME`. */
  readonly prefix?: readonly string[];
}

/** What became of it. */
export interface LoadReport {
  readonly requests: number;
  /** Answers of 400 and more, and connections that broke. */
  readonly failed: number;
  /** The counts that make up `failed`, for whoever reads a failed test. */
  readonly detail: string;
}

/** Runs wrk with one thread. @throws Error with what it printed when it fails. */
export async function runWrk({
  url,
  connections,
  seconds,
  method = "GET",
  newConnections = false,
  prefix = [],
}: WrkJob): Promise<LoadReport> {
  const folder = mkdtempSync(join(tmpdir(), "fiberlb-wrk-"));
  try {
    const script = join(folder, "request.lua");
    writeFileSync(script, `wrk.method = "${method}"\n${method === "GET" ? "" : 'wrk.body = "ping"\n'}`);
    // An answer that is late on a busy machine is no failure.
    const options = ["-t1", `-c${connections}`, `-d${seconds}s`, "--timeout", "30s", "-s", script];
    if (newConnections) options.push("-H", "Connection: close");
    const { code, stdout, stderr } = await new Program([...prefix, "wrk", ...options, url]).ended;
    if (code !== 0) throw new Error(`wrk failed: ${[...stderr, ...stdout].join("\n")}`);
    return reportOf(stdout.join("\n"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function reportOf(text: string): LoadReport {
  const requests = Number(/(\d+) requests in /.exec(text)?.[1]);
  const numbers = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)?.slice(1) ?? [];
  const statuses = Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0);
  const [connect = 0, read = 0, write = 0, timeout = 0] = numbers.map(Number);
  return {
    requests,
    failed: connect + read + write + timeout + statuses,
    detail: `${statuses} bad answers; ${connect} connect, ${read} read, ${write} write and ${timeout} timeout errors`,
  };
}
