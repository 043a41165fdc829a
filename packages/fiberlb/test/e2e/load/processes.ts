import { fileURLToPath } from "node:url";

import { Program } from "../program.ts";
import { until } from "../until.ts";
import type { RateReport } from "./connection-rate.ts";
import type { Job, Report } from "./load-generator.ts";

/** What stands before a command line, for example `ip netns exec NAME`. */
type Prefix = readonly string[];

/** Echo servers in a process of their own. */
export interface EchoProcess {
  readonly program: Program;
  readonly ports: readonly number[];
}

const runScript = (name: string, args: readonly string[], prefix: Prefix = []): Program =>
  new Program([...prefix, process.execPath, fileURLToPath(new URL(`./${name}.ts`, import.meta.url)), ...args]);

/** Starts so many echo servers. */
export async function startEchoProcess(
  servers: number,
  prefix: Prefix = [],
  address = "127.0.0.1",
): Promise<EchoProcess> {
  const program = runScript("echo-process", [String(servers), address], prefix);
  await until(
    "the echo servers listen",
    () => program.stdout.length,
    (lines) => lines > 0,
  );
  return { program, ports: JSON.parse(program.stdout[0]!) as number[] };
}

/** Moves data through listeners from a process of its own. @throws Error when that process fails. */
export async function move(job: Job, prefix: Prefix = []): Promise<Report> {
  const { code, stdout, stderr } = await runScript("load-generator", [JSON.stringify(job)], prefix).ended;
  if (code !== 0) throw new Error(`the load generator failed: ${stderr.join("\n")}`);
  return JSON.parse(stdout[0]!) as Report;
}

/** Connections at a steady rate, from a process of their own. */
export interface ConnectionRate {
  readonly program: Program;
  /** Opens no more, waits for those that run, and tells what became of all. */
  finish(): Promise<RateReport>;
}

/** Opens so many connections to an echo server a second, until it is told to finish. */
export async function startConnectionRate(
  { host, port, perSecond }: { readonly host: string; readonly port: number; readonly perSecond: number },
  prefix: Prefix = [],
): Promise<ConnectionRate> {
  const program = runScript("connection-rate", [host, String(port), String(perSecond)], prefix);
  await until(
    "connections are being opened",
    () => program.stdout.length,
    (lines) => lines > 0,
  );
  return {
    program,
    async finish() {
      program.signal("SIGTERM");
      const { code, stdout, stderr } = await program.ended;
      if (code !== 0) throw new Error(`opening connections failed: ${stderr.join("\n")}`);
      return JSON.parse(stdout[1]!) as RateReport;
    },
  };
}

/** An HTTP server in a process of its own. */
export interface WebProcess {
  readonly program: Program;
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

/** Starts one, or starts one again. @param at without a port: any. */
export async function startWebProcess({
  name,
  host,
  port = 0,
}: Pick<WebProcess, "name" | "host"> & { readonly port?: number }): Promise<WebProcess> {
  const program = runScript("web-process", [name, host, String(port)]);
  await until(
    `${name} listens`,
    () => ({ lines: program.stdout.length, isRunning: program.isRunning }),
    ({ lines, isRunning }) => lines > 0 || !isRunning,
  );
  if (program.stdout.length === 0) throw new Error(`${name} ended: ${program.stderr.join("\n")}`);
  return { program, name, host, port: Number(program.stdout[0]) };
}
