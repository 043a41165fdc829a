import { rmSync } from "node:fs";
import path from "node:path";

import { root, run } from "./command.ts";
import { readResults } from "./jest-results.ts";
import { fail, nothing, type Outcome, sum } from "./outcome.ts";
import type { Package } from "./workspace.ts";
import { hasTests } from "./workspace.ts";

export const resultsFolder = path.join(root, ".cache/test-results");

/** nx asks for colours whatever the output is; a log file should have none. */
const colors = { FORCE_COLOR: process.stdout.isTTY ? "1" : "0" };

const kinds = {
  unit: { parallel: [], jest: "--testPathIgnorePatterns=/test/e2e/", timeoutMs: 12 * 60_000 },
  // One at a time: these start whole programs and would disturb each other on a small machine.
  e2e: { parallel: ["--parallel=1"], jest: "--testPathPatterns=/test/e2e/", timeoutMs: 15 * 60_000 },
};

/** Jest in every package that has such tests, through nx. */
export async function packageTests(kind: "unit" | "e2e", packages: readonly Package[]): Promise<Outcome> {
  const chosen = packages.filter(({ folder }) => hasTests(folder, kind));
  if (chosen.length === 0) return nothing();
  const { parallel, jest, timeoutMs } = kinds[kind];
  const projects = `--projects=${chosen.map(({ name }) => name).join(",")}`;
  const nx = ["nx", "run-many", "-t", "test", projects, "--output-style=stream", "--nxBail=false", ...parallel];
  const folder = path.join(resultsFolder, kind);
  return collect(
    folder,
    chosen.map((one) => one.folder),
    () =>
      run("npx", ["--no-install", ...nx, "--", jest], {
        live: true,
        timeoutMs,
        env: { TEST_RESULTS_DIR: folder, NX_TUI: "false", ...colors },
      }),
  );
}

/** The tests of tools/ itself; `pattern` and `exclude` are parts of file names. */
export async function toolTests(stage: string, args: readonly string[]): Promise<Outcome> {
  const folder = path.join(resultsFolder, stage);
  const jest = ["--experimental-vm-modules", "--disable-warning=ExperimentalWarning", "node_modules/jest/bin/jest.js"];
  return collect(folder, ["tools"], () =>
    run("node", [...jest, "--config=tools/jest.config.mjs", ...args], {
      live: true,
      env: { TEST_RESULTS_DIR: folder, ...colors },
    }),
  );
}

async function collect(
  folder: string,
  names: readonly string[],
  start: () => Promise<{ code: number | null; output: string }>,
): Promise<Outcome> {
  rmSync(folder, { recursive: true, force: true }); // a result of an earlier run must not count
  const { code, output } = await start();
  const outcome = readResults(folder, names);
  if (code === 0 || outcome.failed > 0) return outcome;
  const tail = output.split("\n").slice(-20).join("\n");
  return sum([outcome, fail(path.relative(root, folder), `exit code ${code} although no test failed:\n${tail}`)]);
}
