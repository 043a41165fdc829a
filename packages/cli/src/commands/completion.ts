import type { Command } from "commander";

import { usageError } from "../exit.ts";
import type { CliIo } from "../io.ts";
import { completionScript, shells } from "../output/completion.ts";
import { locally, withExamples } from "./command.ts";

/** `fiberlb completion bash|zsh|fish`. */
export function addCompletion(program: Command, io: CliIo): void {
  const command = program
    .command("completion")
    .summary("print a completion script for a shell")
    .description("Prints a script that completes commands, kinds and flags.")
    .argument("<shell>", shells.join(", "));
  withExamples(command, [
    ["source <(fiberlb completion bash)", "in ~/.bashrc"],
    ["fiberlb completion zsh > ~/.zfunc/_fiberlb", "with ~/.zfunc in fpath"],
    ["fiberlb completion fish > ~/.config/fish/completions/fiberlb.fish", ""],
  ]);
  locally(command, ([shell = ""]) => {
    const known = shells.find((name) => name === shell);
    if (known === undefined) throw usageError(`unknown shell ${JSON.stringify(shell)}; one of ${shells.join(", ")}`);
    io.stdout.write(completionScript(program, known));
  });
}
