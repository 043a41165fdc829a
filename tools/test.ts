// `npm test`: every check of the repository, one after the other, and their sum in the last line.
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";

import { providePeerPrograms } from "./peer-programs.ts";
import { provideSystemPackages } from "./system-packages.ts";
import { check, types } from "./test-run/check-stages.ts";
import { killAllOnSignal } from "./test-run/command.ts";
import { generatedCode } from "./test-run/generated-code.ts";
import { packageTests, resultsFolder, toolTests } from "./test-run/jest-stage.ts";
import { help, type Options, parseOptions } from "./test-run/options.ts";
import { fail, type Outcome, sum, totalsLine } from "./test-run/outcome.ts";
import { report, skipLine } from "./test-run/report.ts";
import { type Package, packages } from "./test-run/workspace.ts";

/** Tests of tools/ with stages of their own, by the beginnings of their paths. */
const packed = "tools/packed.test.ts";
const cluster = "tools/cluster/e2e/";

interface Stage {
  name: string;
  run: () => Promise<Outcome>;
}

function stagesOf({ only, fast, install }: Options, all: readonly Package[]): Stage[] {
  const chosen = only === undefined ? all : all.filter(({ folder }) => folder === only);
  const under = only === undefined ? [] : [`packages/${only}`];
  const slow = !fast;
  const whole = only === undefined;
  const stages: (Stage | false)[] = [
    slow && { name: "system packages", run: () => provideSystemPackages({ install }) },
    slow && { name: "peer programs", run: () => providePeerPrograms({ install }) },
    whole && { name: "generated code", run: generatedCode },
    { name: "format", run: () => check("format", ["oxfmt", "--check", ...under]) },
    { name: "lint", run: () => check("lint", ["oxlint", "--quiet", "--format=unix", ...under]) },
    { name: "types", run: () => types(under[0]) },
    whole && { name: "tidy", run: () => toolTests("tidy", ["--testPathIgnorePatterns", packed, cluster]) },
    { name: "unit tests", run: () => packageTests("unit", chosen) },
    slow && { name: "end-to-end tests", run: () => packageTests("e2e", chosen) },
    slow && whole && { name: "cluster", run: () => toolTests("cluster", [cluster]) },
    slow && whole && { name: "build", run: () => check("build", ["npm", "run", "build"], { live: true }) },
    slow && whole && { name: "packed tarballs", run: () => toolTests("packed", [packed]) },
  ];
  return stages.filter((stage) => stage !== false);
}

/** Runs one stage, with a line before and after it. A stage that throws has failed; the next ones still run. */
async function runStage({ name, run }: Stage, position: string): Promise<Outcome> {
  console.log(`── [${position}] ${name}`);
  const started = performance.now();
  const outcome = await run().catch((error: unknown) => fail(name, String((error as Error).stack ?? error)));
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  for (const skip of outcome.skips) console.log(skipLine(skip));
  console.log(`── [${position}] ${name}: ${totalsLine(outcome)} (${seconds} s)`);
  return outcome;
}

async function main(): Promise<number> {
  const all = packages();
  let options: Options;
  try {
    options = parseOptions(
      process.argv.slice(2),
      all.map(({ folder }) => folder),
    );
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${help}`);
    return 2;
  }
  if (options.help) {
    console.log(help);
    return 0;
  }
  killAllOnSignal();
  const stages = stagesOf(options, all);
  const outcomes: Outcome[] = [];
  for (const [index, stage] of stages.entries()) {
    outcomes.push(await runStage(stage, `${index + 1}/${stages.length}`));
  }
  const total = sum(outcomes);
  mkdirSync(resultsFolder, { recursive: true });
  writeFileSync(path.join(resultsFolder, "totals.txt"), `${totalsLine(total)}\n`);
  console.log(`\n${report(total)}`);
  return total.failed > 0 ? 1 : 0;
}

process.exitCode = await main();
