import { CliExit } from "@fiberlb/cli";

/** An end with several reasons, a line each; exit code 1: refused or failed, 2: wrong usage. */
export const failure = (lines: string | readonly string[], exitCode: 1 | 2 = 1): CliExit =>
  new CliExit(exitCode, [lines].flat().join("\nerror: "));
