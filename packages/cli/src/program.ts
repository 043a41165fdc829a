import { type Command, CommanderError } from "commander";

import { addApply } from "./commands/apply.ts";
import { addCompletion } from "./commands/completion.ts";
import { addCreate } from "./commands/create.ts";
import { addDelete } from "./commands/delete.ts";
import { addDescribe } from "./commands/describe.ts";
import { addDrain, addUndrain } from "./commands/drain.ts";
import { addExport } from "./commands/export.ts";
import { addGet } from "./commands/get.ts";
import { addRegister } from "./commands/register.ts";
import { addSet } from "./commands/set.ts";
import { addStatus } from "./commands/status.ts";
import { DEFAULT_SERVER } from "./connection.ts";
import { CliExit, EXIT_REFUSED, EXIT_USAGE, toCliExit } from "./exit.ts";
import type { CliIo } from "./io.ts";

/**
 * Adds every command that talks to a server, and their global flags, to a program. Run it with {@link runProgram}: the
 * commands end by throwing, never by `process.exit`.
 */
export function registerClientCommands(program: Command, io: CliIo): void {
  program
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      getOutHelpWidth: () => io.columns ?? HELP_WIDTH,
      getErrHelpWidth: () => io.columns ?? HELP_WIDTH,
      getOutHasColors: () => io.colour,
      getErrHasColors: () => io.colour,
      // Commander puts its suggestion on a second line.
      outputError: (text, write) => write(`${text.trimEnd().replaceAll("\n", " ")}\n`),
    })
    .option("--server <url>", `where the API is (FIBERLB_SERVER; ${DEFAULT_SERVER})`)
    .option("--token <token>", "bearer token (FIBERLB_TOKEN)")
    .option("--org <name>", "organisation to act in (FIBERLB_ORG; default)")
    .option("--project <name>", "project to act in (FIBERLB_PROJECT; default)")
    .option("--tls-ca <file>", "authority of the server's certificate, PEM (FIBERLB_TLS_CA; the system's)")
    .option("--tls-cert <file>", "client certificate, PEM (FIBERLB_TLS_CERT)")
    .option("--tls-key <file>", "its private key, PEM (FIBERLB_TLS_KEY)");
  for (const add of COMMANDS) add(program, io);
}

const HELP_WIDTH = 100;

const COMMANDS: readonly ((program: Command, io: CliIo) => void)[] = [
  addApply,
  addExport,
  addGet,
  addDescribe,
  addCreate,
  addSet,
  addDelete,
  addStatus,
  addRegister,
  addDrain,
  addUndrain,
  addCompletion,
];

/**
 * Runs a command line and resolves with the exit code: 0 done, 1 the server refused or a check failed, 2 wrong usage.
 * Errors are printed as one line. `argv` is without the program's own name.
 */
export async function runProgram(program: Command, argv: readonly string[], io: CliIo): Promise<number> {
  try {
    await program.parseAsync(argv, { from: "user" });
    return 0;
  } catch (error) {
    return explain(error, io);
  }
}

function explain(error: unknown, io: CliIo): number {
  if (error instanceof CommanderError && !(error instanceof CliExit)) {
    // Commander has printed it.
    return error.exitCode === 0 ? 0 : error.code === "commander.help" ? EXIT_USAGE : usageCode(error);
  }
  const end = error instanceof CliExit ? error : toCliExit(error, "");
  if (end.message !== "") io.stderr.write(`error: ${end.message}\n`);
  return end.exitCode;
}

const usageCode = ({ code }: CommanderError): number => (code.startsWith("commander.") ? EXIT_USAGE : EXIT_REFUSED);
