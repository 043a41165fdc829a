import type { CliIo } from "@fiberlb/cli";
import { examine, type Finding, probeHost, type Section, systemClock } from "@fiberlb/server";
import { type Command, Option } from "commander";

import { failure } from "../failure.ts";
import { readConfig } from "./serve.ts";

const EXAMPLES = `
Run it as the user that runs the node: rights and limits are those of whoever asks. It changes nothing.
Exit code 0: a node with this configuration can run here; 1: something that is configured cannot work.

Examples:
  $ fiberlb doctor
  $ fiberlb doctor --config /etc/fiberlb/fiberlb.yaml
  $ fiberlb doctor -o json | jq '.findings[] | select(.state != "ok")'
`;

/** Adds `fiberlb doctor`: whether this host has what a node needs. */
export function addDoctor(program: Command, io: CliIo): void {
  program
    .command("doctor")
    .description("check this host for what a node needs: ports, limits, rights, kernel settings, store")
    .option("-c, --config <file>", "configuration file of the node")
    .addOption(new Option("-o, --output <format>", "how to print it").choices(["table", "json"]).default("table"))
    .addHelpText("after", EXAMPLES)
    .action(async ({ config: file, output }: { config?: string; output: "table" | "json" }) => {
      const { config } = readConfig(file);
      const sections = examine(await probeHost(config, systemClock), config);
      const findings = sections.flatMap((section) => section.findings);
      const isFit = findings.every(({ state }) => state !== "failed");
      io.stdout.write(output === "json" ? toJson(sections, isFit) : `${toText(sections, io.colour)}\n`);
      if (!isFit) throw failure(`this host is not fit for this configuration: ${summary(findings)}`);
    });
}

function toJson(sections: readonly Section[], isFit: boolean): string {
  const findings = sections.flatMap(({ title, findings: all }) =>
    all.map((finding) => ({ section: title, ...finding })),
  );
  return `${JSON.stringify({ fit: isFit, findings }, undefined, 2)}\n`;
}

const SIGNS: Readonly<Record<Finding["state"], { readonly text: string; readonly colour: number }>> = {
  ok: { text: "ok", colour: 32 },
  warning: { text: "warn", colour: 33 },
  failed: { text: "FAIL", colour: 31 },
  skipped: { text: "-", colour: 2 },
};
const SIGN_WIDTH = 4;

function toText(sections: readonly Section[], colour: boolean): string {
  const findings = sections.flatMap((section) => section.findings);
  const width = Math.max(...findings.map(({ check }) => check.length));
  const lines = sections.map(({ title, findings: all }) =>
    [title, ...all.map((finding) => toLines(finding, { width, colour }))].join("\n"),
  );
  return [...lines, summary(findings)].join("\n\n");
}

function toLines({ check, state, found, fix }: Finding, layout: { width: number; colour: boolean }): string {
  const { text, colour } = SIGNS[state];
  const sign = layout.colour ? `\u001b[${colour}m${text.padEnd(SIGN_WIDTH)}\u001b[0m` : text.padEnd(SIGN_WIDTH);
  const indent = " ".repeat(2 + SIGN_WIDTH + 2 + layout.width + 2);
  const line = `  ${sign}  ${check.padEnd(layout.width)}  ${found}`;
  return fix === undefined ? line : `${line}\n${indent}fix: ${fix}`;
}

function summary(findings: readonly Finding[]): string {
  const count = (state: Finding["state"]): number => findings.filter((finding) => finding.state === state).length;
  return `${count("ok")} ok, ${count("warning")} warnings, ${count("failed")} failed, ${count("skipped")} skipped`;
}
