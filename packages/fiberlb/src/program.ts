import { processIo, registerClientCommands } from "@fiberlb/cli";
import { Command } from "commander";

import { demoCommand } from "./commands/demo.ts";
import { serveCommand } from "./commands/serve.ts";
import { storeCommand } from "./commands/store.ts";
import { Failure } from "./failure.ts";
import { version } from "./version.ts";

const EXAMPLES = `
Examples:
  $ fiberlb demo                        three web servers and a load balancer in front of them
  $ fiberlb serve                       a node: API on 127.0.0.1:9080, state in ./fiberlb-data/
  $ fiberlb apply -f web.yaml           makes the load balancers declared in a file so
  $ fiberlb status                      every load balancer with its listeners, pools and backends
`;

/** The whole command line: the node's own commands and the client's. */
export function createProgram(): Command {
  const program = new Command("fiberlb")
    .description("The open load balancer for private clouds")
    .version(version, "-V, --version")
    .addHelpText("after", EXAMPLES)
    .showSuggestionAfterError()
    .addCommand(serveCommand())
    .addCommand(demoCommand())
    .addCommand(storeCommand());
  registerClientCommands(program, processIo());
  return program;
}

/** Runs it. @returns the exit code: 0 done, 1 refused or failed, 2 wrong usage. */
export async function runProgram(program: Command, argv: readonly string[]): Promise<number> {
  try {
    await program.parseAsync(argv);
    return 0;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    for (const line of error.lines) console.error(`fiberlb: ${line}`);
    return error.exitCode;
  }
}
