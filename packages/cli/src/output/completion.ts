import type { Command } from "commander";

import { kindInfos } from "../kinds.ts";

/** Shells that {@link completionScript} knows. */
export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

/** What can follow one sequence of words: `create lb`. */
interface CompletionEntry {
  readonly words: string;
  readonly next: readonly string[];
}

/** A script that completes the program's commands, kinds and flags, all written into it: completing starts no process. */
export function completionScript(program: Command, shell: Shell): string {
  const name = program.name();
  const entries = entriesOf(program, "");
  switch (shell) {
    case "bash":
      return bashScript(name, entries);
    case "zsh":
      // zsh runs bash completions itself; one script is one to get right.
      return `#compdef ${name}\nautoload -U +X bashcompinit && bashcompinit\n${bashScript(name, entries)}`;
    case "fish":
      return fishScript(name, entries);
  }
}

function entriesOf(command: Command, words: string): readonly CompletionEntry[] {
  const flags = [...command.options.flatMap(({ long }) => long ?? []), "--help"];
  const subcommands = command.commands.map((sub) => sub.name());
  const takesKind =
    command.registeredArguments.some((argument) => argument.name() === "kind") && subcommands.length === 0;
  const kinds = takesKind ? kindInfos.map(({ names }) => names[0]) : [];
  const below = command.commands.flatMap((sub) => entriesOf(sub, `${words} ${sub.name()}`.trim()));
  return [{ words, next: [...subcommands, ...kinds, ...flags] }, ...below];
}

function bashScript(name: string, entries: readonly CompletionEntry[]): string {
  const cases = entries.map(({ words, next }) => `    "${words}") next="${next.join(" ")}" ;;`);
  return `_${name}() {
  local word words="" next="" current="\${COMP_WORDS[COMP_CWORD]}"
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) case "$words $word" in ${patterns(entries)}) words="\${words:+$words }$word" ;; esac ;; esac
  done
  case "$words" in
${cases.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$next" -- "$current"))
}
complete -o default -F _${name} ${name}
`;
}

/** Sequences of words that are commands; a name of a resource is none and is skipped. */
const patterns = (entries: readonly CompletionEntry[]): string =>
  entries
    .filter(({ words }) => words !== "")
    .map(({ words }) => (words.includes(" ") ? `"${words}"` : `" ${words}"`))
    .join("|");

function fishScript(name: string, entries: readonly CompletionEntry[]): string {
  const lines = entries.flatMap(({ words, next }) => {
    const condition =
      words === ""
        ? "__fish_use_subcommand"
        : words
            .split(" ")
            .map((word) => `__fish_seen_subcommand_from ${word}`)
            .join("; and ");
    const plain = next.filter((word) => !word.startsWith("-"));
    const flags = next.filter((word) => word.startsWith("--")).map((flag) => flag.slice(2));
    return [
      ...(plain.length === 0 ? [] : [`complete -c ${name} -f -n '${condition}' -a '${plain.join(" ")}'`]),
      ...flags.map((flag) => `complete -c ${name} -n '${condition}' -l ${flag}`),
    ];
  });
  return `${lines.join("\n")}\n`;
}
