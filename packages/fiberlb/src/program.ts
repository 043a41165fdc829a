import { type CliIo, processIo, registerClientCommands, runProgram } from "@fiberlb/cli";
import { Command } from "commander";

import { addController } from "./commands/controller.ts";
import { addDemo } from "./commands/demo.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addK8shost } from "./commands/k8shost.ts";
import { addServe } from "./commands/serve.ts";
import { addStore } from "./commands/store.ts";
import { version } from "./version.ts";

const EXAMPLES = `
Examples:
  $ fiberlb demo                        three web servers and a load balancer in front of them
  $ fiberlb serve                       a node: API on 127.0.0.1:9080, state in ./fiberlb-data/
  $ fiberlb doctor                      whether this host has what a node needs
  $ fiberlb apply -f web.yaml           makes the load balancers declared in a file so
  $ fiberlb status                      every load balancer with its listeners, pools and backends
`;

/** The whole command line: the node's own commands and the client's. */
export function createProgram(io: CliIo): Command {
  const program = new Command("fiberlb")
    .description("The open load balancer for private clouds")
    .version(version, "-V, --version")
    .addHelpText("after", EXAMPLES)
    .showSuggestionAfterError();
  // First, because commands inherit how errors and output are treated when they are added.
  registerClientCommands(program, io);
  for (const add of [addServe, addDemo, addStore]) add(program);
  addController(program, io);
  addK8shost(program, io);
  addDoctor(program, io);
  return program;
}

/** Runs a command line. @returns the exit code: 0 done, 1 refused or failed, 2 wrong usage. */
export function runFiberlb(argv: readonly string[], io: CliIo = processIo()): Promise<number> {
  return runProgram(createProgram(io), argv, io);
}
