import { readFileSync } from "node:fs";
import { join } from "node:path";

import { quantile } from "../load.ts";
import { LOAD_CORE, type Processes } from "../processes.ts";
import type { HandshakeFigures } from "./handshakes.ts";

/** What a load generator saw. */
export interface LoadResult {
  readonly requests: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** What loads a balancer. */
export interface LoadOptions {
  readonly processes: Processes;
  /** With scheme, address, port and path. */
  readonly url: string;
  readonly seconds: number;
}

/** Loads what answers at an address for so long. @throws Error when requests fail. */
export type Load = (options: LoadOptions) => Promise<LoadResult>;

const CONNECTIONS = 64;
const MS_PER_UNIT: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000 };

/** wrk: HTTP/1.1 on 64 connections, each with one request at a time. TLS as the system's OpenSSL speaks it. */
export const keepAlive: Load = (options) => wrk(options, []);

/** wrk, each request on a connection of its own. */
export const connectionEach: Load = (options) => wrk(options, ["-H", "Connection: close"]);

async function wrk({ processes, url, seconds }: LoadOptions, headers: readonly string[]): Promise<LoadResult> {
  const options = ["-t1", `-c${CONNECTIONS}`, `-d${seconds}s`, "--latency", ...headers];
  const output = await processes.run(LOAD_CORE, ["wrk", ...options, url]);
  const requests = Number(/(\d+) requests in/.exec(output)?.[1] ?? 0);
  if (requests === 0 || output.includes("Non-2xx")) throw new Error(`Cannot load ${url}: wrk says\n${output}`);
  return { requests, p50Ms: latencyOf(output, 50), p99Ms: latencyOf(output, 99) };
}

function latencyOf(output: string, percent: number): number {
  const [, value, unit = ""] = new RegExp(`${percent}%\\s+([\\d.]+)(us|ms|s|m)`).exec(output) ?? [];
  return Number(value) * (MS_PER_UNIT[unit] ?? Number.NaN);
}

/** h2load: HTTP/2 on 16 connections with 16 streams each. */
export const multiplexed: Load = async ({ processes, url, seconds }) => {
  const log = join(processes.folder, `h2load-${Date.now()}.log`);
  const options = ["-t1", "-c16", "-m16", "-D", String(seconds), `--log-file=${log}`];
  const output = await processes.run(LOAD_CORE, ["h2load", ...options, url]);
  const [, requests, failed] = /(\d+) succeeded, (\d+) failed/.exec(output) ?? [];
  const others = /status codes: \d+ 2xx, (\d+ 3xx, \d+ 4xx, \d+ 5xx)/.exec(output)?.[1];
  if (!Number(requests) || Number(failed) > 0 || others !== "0 3xx, 0 4xx, 0 5xx") {
    throw new Error(`Cannot load ${url}: h2load says\n${output}`);
  }
  // Each line: start in µs, status, duration in µs.
  const lines = readFileSync(log, "utf8").trimEnd().split("\n");
  const durationsMs = lines.map((line) => Number(line.split("\t")[2]) / 1000);
  return { requests: Number(requests), p50Ms: quantile(durationsMs, 0.5), p99Ms: quantile(durationsMs, 0.99) };
};

/** A handshake and one request a connection, 16 at a time, no session resumed. */
export const fullHandshakes: Load = (options) => handshakes(options, "full");

/** The same, each connection going on where an earlier one ended. */
export const resumedHandshakes: Load = (options) => handshakes(options, "resumed");

async function handshakes(
  { processes, url, seconds }: LoadOptions,
  kind: HandshakeFigures["kind"],
): Promise<LoadResult> {
  const script = join(import.meta.dirname, "handshakes.ts");
  const command = [process.execPath, "--no-warnings", script, url, String(seconds), kind];
  const { requests, others, p50Ms, p99Ms } = JSON.parse(await processes.run(LOAD_CORE, command)) as HandshakeFigures;
  if (requests === 0 || others > requests / 20) {
    throw new Error(`Cannot measure ${kind} handshakes at ${url}: ${others} of ${requests} were others`);
  }
  return { requests, p50Ms, p99Ms };
}
