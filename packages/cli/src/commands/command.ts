import type { Command } from "commander";

import { type Session, withSession } from "../connection.ts";
import { toCliExit } from "../exit.ts";
import type { CliIo } from "../io.ts";

/** Adds examples to a command's help. Each is a command line and what it does. */
export function withExamples(command: Command, examples: readonly (readonly [line: string, does: string])[]): Command {
  const width = Math.max(...examples.map(([line]) => line.length));
  const lines = examples.map(([line, does]) => (does === "" ? `  $ ${line}` : `  $ ${line.padEnd(width)}  # ${does}`));
  return command.addHelpText("after", `\nExamples:\n${lines.join("\n")}`);
}

/** For options that may be given several times: each adds an entry. */
export const collect = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

/** A command's body: what was typed as arguments, the flags, and the connection. */
export interface Invocation<Flags> extends Session {
  readonly args: readonly string[];
  readonly flags: Flags;
}

/** Registers a body that talks to the server. */
export function onServer<Flags>(
  command: Command,
  io: CliIo,
  run: (invocation: Invocation<Flags>) => Promise<void>,
): void {
  command.action(async () => {
    const flags = command.opts<Record<string, unknown>>() as Flags;
    await withSession(command, io, (session) => run({ ...session, args: command.args, flags }));
  });
}

/** Registers a body that needs no server. */
export function locally(command: Command, run: (args: readonly string[]) => void): void {
  command.action(() => {
    try {
      run(command.args);
    } catch (error) {
      throw toCliExit(error, "");
    }
  });
}
