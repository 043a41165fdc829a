import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";

import SummaryFileReporter, { summarize } from "../jest-reporter.ts";
import { root } from "./command.ts";
import { readResults, toOutcome } from "./jest-results.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "fiberlb-results-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const assertion = (status: string, title: string, suite: string, failureMessages: string[] = []) => ({
  status,
  title,
  ancestorTitles: [suite],
  fullName: `${suite} ${title}`,
  failureMessages,
});

const fileResult = (testResults: ReturnType<typeof assertion>[], more = {}) => ({
  testFilePath: "/repo/packages/a/test/x.test.ts",
  testResults,
  ...more,
});

describe("summarize", () => {
  test("tells passed, failed and skipped tests apart, and finds the reason in the suite's name", () => {
    const summary = summarize(
      fileResult([
        assertion("passed", "one", "suite"),
        assertion("failed", "two", "suite", ["expected 1"]),
        assertion("pending", "three", "nft (skipped: needs root (uid 0))"),
        assertion("todo", "four", "suite"),
      ]),
      "/repo/packages/a",
    );
    expect(summary).toEqual({
      passed: 1,
      failures: [{ file: "test/x.test.ts", name: "suite two", message: "expected 1" }],
      skips: [
        {
          file: "test/x.test.ts",
          suite: "nft (skipped: needs root (uid 0))",
          name: "three",
          reason: "needs root (uid 0)",
        },
        { file: "test/x.test.ts", suite: "suite", name: "four", reason: "to do" },
      ],
    });
  });

  test("a file that cannot be loaded is one failure", () => {
    const result = fileResult([], { testExecError: new Error("no such module"), failureMessage: "no such module" });
    expect(summarize(result, "/repo/packages/a").failures).toEqual([
      { file: "test/x.test.ts", name: "test file failed to run", message: "no such module" },
    ]);
  });
});

describe("readResults", () => {
  const summary = (name: string, more = {}) =>
    writeFileSync(
      path.join(folder, `${name}.json`),
      JSON.stringify({ package: `packages/${name}`, passed: 2, failures: [], skips: [], ...more }),
    );

  test("adds up packages", () => {
    summary("a", { failures: [{ file: "test/x.test.ts", name: "n", message: "m" }] });
    summary("b");
    expect(readResults(folder, ["a", "b"])).toMatchObject({ passed: 4, failed: 1, skipped: 0 });
  });

  test("a package without a result is a failure, not silence", () => {
    summary("a");
    expect(readResults(folder, ["a", "b"])).toMatchObject({
      passed: 2,
      failed: 1,
      failures: [{ where: "b", message: expect.stringContaining("jest left no result") }],
    });
  });
});

describe("toOutcome", () => {
  test("tests skipped for one reason become one line", () => {
    const skip = { file: "test/x.test.ts", suite: "nft (skipped: needs root)", reason: "needs root" };
    const skips = ["one", "two"].map((name) => ({ ...skip, name }));
    expect(toOutcome({ package: "packages/a", passed: 0, failures: [], skips })).toMatchObject({
      skipped: 2,
      skips: [{ where: "packages/a/test/x.test.ts", name: "nft", reason: "needs root", count: 2 }],
    });
  });
});

describe("reporter", () => {
  const before = process.env["TEST_RESULTS_DIR"];
  // Its timer ends a process that does not end by itself: not the one that runs this test.
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => {
    jest.useRealTimers();
    if (before === undefined) delete process.env["TEST_RESULTS_DIR"];
    else process.env["TEST_RESULTS_DIR"] = before;
  });

  test("writes a file that readResults reads", () => {
    process.env["TEST_RESULTS_DIR"] = folder;
    const rootDir = path.join(root, "packages/maglev");
    const testFilePath = path.join(rootDir, "test/x.test.ts");
    const results = { testResults: [{ ...fileResult([assertion("passed", "one", "suite")]), testFilePath }] };
    new SummaryFileReporter({ rootDir }).onRunComplete([], results);
    expect(readResults(folder, ["maglev"])).toMatchObject({ passed: 1, failed: 0, skipped: 0 });
  });
});
