// Reads docs/runbook.md: which commands it gives, for which hosts. Pure.

/** Commands that a reader types on each of these hosts, one host after the other. */
export interface Step {
  readonly hosts: readonly string[];
  readonly script: string;
  /** Of the page, where the commands begin. */
  readonly line: number;
}

/** What stands below one second-level heading. */
export interface Section {
  readonly title: string;
  readonly steps: readonly Step[];
}

const HOSTS = /^On (`.*):$/;

/**
 * Every block marked `sh` is a step. The line before it says where: "On `lb-1`, `lb-2` and `lb-3`:", whatever else it says.
 * @throws Error when a block does not say where its commands are to be typed
 */
export function parseRunbook(page: string): readonly Section[] {
  const sections: { title: string; steps: Step[] }[] = [];
  let before = "";
  let block: { hosts: readonly string[]; line: number; text: string[] } | undefined;
  for (const [index, line] of page.split("\n").entries()) {
    if (block !== undefined && line === "```") {
      const { hosts, text } = block;
      if (hosts.length > 0) sections.at(-1)?.steps.push({ hosts, script: text.join("\n"), line: block.line });
      block = undefined;
    } else if (block !== undefined) {
      block.text.push(line);
    } else if (line.startsWith("```")) {
      const isShell = line === "```sh";
      const hosts = isShell ? hostsIn(before) : [];
      if (isShell && hosts.length === 0) throw new Error(`line ${index + 1}: no "On \`host\`…:" before these commands`);
      block = { hosts, line: index + 2, text: [] };
    } else if (line.startsWith("## ")) {
      sections.push({ title: line.slice(3).trim(), steps: [] });
    }
    if (line.trim() !== "") before = line;
  }
  return sections;
}

/** The hosts are what stands in backticks up to the first word that is no name in a list. */
function hostsIn(line: string): readonly string[] {
  const list = HOSTS.exec(line)?.[1] ?? "";
  const names = /^`[\w-]+`(?:(?:, | and )`[\w-]+`)*/.exec(list)?.[0] ?? "";
  return [...names.matchAll(/`([\w-]+)`/g)].map((match) => match[1]!);
}
