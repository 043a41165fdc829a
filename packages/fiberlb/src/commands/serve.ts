import { readFileSync } from "node:fs";

import { type Config, createLog, type Log, type LogLevel, parseConfig, startServer } from "@fiberlb/server";
import type { Command } from "commander";

import { failure } from "../failure.ts";
import { version } from "../version.ts";

const EXAMPLES = `
Every key of the configuration file has an environment variable: FIBERLB_ and its path in upper snake case.
All keys: docs/configuration.md

Examples:
  $ fiberlb serve
  $ fiberlb serve --config /etc/fiberlb/fiberlb.yaml
  $ fiberlb serve --config /etc/fiberlb/fiberlb.yaml --takeover     an upgrade: the running node hands over and drains
  $ FIBERLB_API_LISTEN=127.0.0.1:9180 FIBERLB_STORE_KIND=memory fiberlb serve
`;

/** Adds `fiberlb serve`: a node, until SIGTERM or SIGINT. */
export function addServe(program: Command): void {
  program
    .command("serve")
    .description("run a node: API, data plane, health checks")
    .option("-c, --config <file>", "configuration file (YAML)")
    .option("--takeover", "take over from the node that runs with the same store, without losing a connection")
    .addHelpText("after", EXAMPLES)
    .action(async ({ config: file, takeover = false }: { config?: string; takeover?: boolean }) =>
      serve(file, takeover),
    );
}

async function serve(file: string | undefined, takesOver: boolean): Promise<void> {
  const { config, warnings } = readConfig(file);
  const log = processLog(config);
  for (const warning of warnings) log.warn(warning);
  const takeover = { onRevoked: (reason: string) => endAtOnce(log, reason) };
  const server = await startServer({ config, log, version, ...(takesOver && { takeover }) }).catch((error: unknown) => {
    throw failure(error instanceof Error ? error.message : String(error));
  });
  process.on("SIGHUP", () => reload(file, config, log));
  const signal = await Promise.race([firstSignal(), server.handedOver]);
  // A second signal means it: nobody should have to wait for a drain they do not want.
  for (const again of ["SIGTERM", "SIGINT"] as const) process.once(again, () => process.exit(1));
  const { drainTimeoutMs } = config.shutdown;
  if (signal === undefined) log.info("handed over; connections may finish here", { drainTimeoutMs });
  else log.info("stopping", { signal, drainTimeoutMs });
  await server.stop();
  log.info("stopped");
}

/** The process that was to be taken over from needs its store back, and an orderly end may be what takes too long. */
function endAtOnce(log: Log, reason: string): never {
  log.error("the process that was to be taken over from goes on; this one ends", { reason });
  process.exit(1);
}

/** Configuration from file and environment. @throws Failure with one line a mistake */
export function readConfig(file: string | undefined): {
  readonly config: Config;
  readonly warnings: readonly string[];
} {
  const result = parseConfig({
    ...(file !== undefined && { file: { name: file, text: readText(file) } }),
    env: process.env,
  });
  if (!result.ok) throw failure(result.problems, 2);
  return result;
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    const why = { ENOENT: "there is no such file", EACCES: "no permission to read it", EISDIR: "it is a folder" }[code];
    throw failure(`cannot read the configuration file ${file}: ${why ?? (error as Error).message}`, 2);
  }
}

/** JSON for machines, pretty for a terminal; to standard error, so that standard output stays the program's own. */
function processLog(config: Config): Log & { setLevel(level: LogLevel): void } {
  const isTerminal = process.stderr.isTTY;
  const { level, format } = config.log;
  return createLog({
    level,
    format: format === "auto" ? (isTerminal ? "pretty" : "json") : format,
    colour: isTerminal && process.env["NO_COLOR"] === undefined,
    write: (line) => void process.stderr.write(`${line}\n`),
  });
}

/** SIGHUP: what can change while running does, of the rest the log says that it needs a restart. */
function reload(file: string | undefined, before: Config, log: Log & { setLevel(level: LogLevel): void }): void {
  try {
    const { config } = readConfig(file);
    log.setLevel(config.log.level);
    const changed = Object.keys(config).filter((key) => key !== "log" && differs(config, before, key as keyof Config));
    log.info("configuration read again", { logLevel: config.log.level });
    for (const key of changed) log.warn(`${key} has changed in the configuration file: needs a restart`);
  } catch (error) {
    log.error("configuration not read again; everything stays as it was", { error });
  }
}

const differs = (a: Config, b: Config, key: keyof Config): boolean => JSON.stringify(a[key]) !== JSON.stringify(b[key]);

function firstSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve(signal));
  });
}
