import { spawnSync } from "node:child_process";

import { Program } from "../program.ts";
import type { LoadReport } from "./wrk.ts";

/** Why h2load can't be used here; empty when it can. */
export const whyNoH2load =
  spawnSync("h2load", ["--version"]).error === undefined ? "" : "h2load is not installed (nghttp2-client)";

/** What h2load is to do over HTTP/2, in cleartext by prior knowledge. */
export interface H2loadJob {
  readonly url: string;
  readonly connections: number;
  /** At a time on each connection. */
  readonly streams: number;
  readonly seconds: number;
}

/** Runs h2load with one thread. @throws Error with what it printed when it fails. */
export async function runH2load({ url, connections, streams, seconds }: H2loadJob): Promise<LoadReport> {
  const options = ["-t1", `-c${connections}`, `-m${streams}`, "-D", String(seconds), "--warm-up-time", "0"];
  const { code, stdout, stderr } = await new Program(["h2load", ...options, url]).ended;
  const text = stdout.join("\n");
  const counts = /requests: \d+ total, \d+ started, (\d+) done, \d+ succeeded, (\d+) failed, (\d+) errored/.exec(text);
  if (code !== 0 || counts === null) throw new Error(`h2load failed: ${[...stderr, ...stdout].join("\n")}`);
  const [requests = 0, failed = 0, errored = 0] = counts.slice(1).map(Number);
  // "failed" holds both streams that broke and answers of 400 and more.
  return { requests, failed, detail: `${errored} broken streams; ${/status codes: .*/.exec(text)?.[0]}` };
}
