import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

import type { Summary } from "../jest-reporter.ts";
import { fail, type Outcome, type Skip, sum } from "./outcome.ts";

/** Adds the summary files of `packages` in `folder`. A package without one has crashed: that is one failure. */
export function readResults(folder: string, packages: readonly string[]): Outcome {
  return sum(
    packages.map((name) => {
      const file = path.join(folder, `${name}.json`);
      if (!existsSync(file)) return fail(name, "jest left no result: it crashed, or was killed (its output is above)");
      return toOutcome(JSON.parse(readFileSync(file, "utf8")) as Summary);
    }),
  );
}

/** One package's summary as an outcome; the skipped tests of one suite become one entry. */
export function toOutcome(summary: Summary): Outcome {
  return {
    passed: summary.passed,
    failed: summary.failures.length,
    skipped: summary.skips.length,
    failures: summary.failures.map(({ file, name, message }) => ({
      where: path.posix.join(summary.package, file),
      name,
      message,
    })),
    skips: bySuite(summary),
  };
}

function bySuite({ package: name, skips }: Summary): Skip[] {
  const suites = Map.groupBy(skips, ({ file, suite, reason, name: test }) =>
    JSON.stringify([file, suite === "" ? test : suite, reason]),
  );
  return [...suites].map(([key, tests]) => {
    const [file, suite, reason] = JSON.parse(key) as [string, string, string];
    return {
      where: `${name}/${file}`,
      name: suite.replace(/ \(skipped: .*\)$/, ""),
      reason: reason === "" ? "no reason given" : reason,
      count: tests.length,
    };
  });
}
