// Writes what a jest run did into $TEST_RESULTS_DIR/<package>.json, where tools/test.ts adds it up.
// Does nothing when the variable is not set, as in `npm test` inside one package.
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";

/** One test, of jest's AssertionResult what is used here. */
export interface TestResult {
  status: string;
  title: string;
  ancestorTitles: readonly string[];
  fullName: string;
  failureMessages: readonly string[];
}

/** One test file, of jest's TestResult what is used here. */
export interface FileResult {
  testFilePath: string;
  testResults: readonly TestResult[];
  testExecError?: { message: string } | undefined;
  failureMessage?: string | null | undefined;
}

/** What a file or a package adds to the totals. */
export interface Counts {
  passed: number;
  failures: { file: string; name: string; message: string }[];
  skips: { file: string; suite: string; name: string; reason: string }[];
}

/** The content of the file that the reporter leaves. */
export interface Summary extends Counts {
  /** Its folder, from the top of the repository. */
  package: string;
}

const repository = path.dirname(import.meta.dirname);
const exitGraceMs = 20_000;
const stillRunning = {
  file: "",
  name: "jest did not exit",
  message: `${exitGraceMs / 1000} s after the last test something was still open: a server, a timer, a child process`,
};
const notRun = new Set(["pending", "skipped", "disabled", "todo"]);

/** "nft driver (skipped: needs root)" says why; the marker may stand in the suite's name or in the test's. */
const reasonIn = (titles: readonly string[]): string | undefined =>
  titles.map((title) => /\(skipped: (.+)\)$/.exec(title)?.[1]).find((reason) => reason !== undefined);

/** jest's results of one file, counted; paths are told from `rootDir`. */
export function summarize(result: FileResult, rootDir: string): Counts {
  const file = path.relative(rootDir, result.testFilePath);
  const failures = result.testResults
    .filter(({ status }) => status === "failed")
    .map(({ fullName, failureMessages }) => ({ file, name: fullName, message: failureMessages.join("\n") }));
  // A file that fails before its first test, or outside of all tests, has a message but no failed test.
  const message = result.failureMessage ?? result.testExecError?.message ?? "";
  if (failures.length === 0 && message !== "") failures.push({ file, name: "test file failed to run", message });
  const skips = result.testResults
    .filter(({ status }) => notRun.has(status))
    .map(({ ancestorTitles, title, status }) => ({
      file,
      suite: ancestorTitles.join(" › "),
      name: title,
      reason: reasonIn([...ancestorTitles, title]) ?? (status === "todo" ? "to do" : ""),
    }));
  return { passed: result.testResults.filter(({ status }) => status === "passed").length, failures, skips };
}

// oxlint-disable-next-line import/no-default-export -- jest loads a reporter as the default export
export default class SummaryFileReporter {
  readonly #rootDir: string;

  constructor({ rootDir }: { rootDir: string }) {
    this.#rootDir = rootDir;
  }

  /** Called by jest once, after the last test. */
  onRunComplete(_contexts: unknown, results: { testResults: readonly FileResult[] }): void {
    const folder = process.env["TEST_RESULTS_DIR"];
    if (folder === undefined) return;
    const files = results.testResults.map((result) => summarize(result, this.#rootDir));
    const summary: Summary = {
      package: path.relative(repository, this.#rootDir),
      passed: files.reduce((sum, { passed }) => sum + passed, 0),
      failures: files.flatMap(({ failures }) => failures),
      skips: files.flatMap(({ skips }) => skips),
    };
    this.#write(folder, summary);
    // Unreferenced: it only fires when something else keeps the process alive, which would be for ever.
    setTimeout(() => {
      this.#write(folder, { ...summary, failures: [...summary.failures, stillRunning] });
      process.exit(1);
    }, exitGraceMs).unref();
  }

  #write(folder: string, summary: Summary): void {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, `${path.basename(this.#rootDir)}.json`), `${JSON.stringify(summary, null, 2)}\n`);
  }
}
