import { stripVTControlCharacters } from "node:util";

import type { Failure, Outcome, Skip } from "./outcome.ts";
import { totalsLine } from "./outcome.ts";

/** Of a long message, how many lines of its beginning and its end are repeated. */
const HEAD_LINES = 20;
const TAIL_LINES = 10;
/** A line of a stack trace that is jest's or Node's, not ours. */
const foreignFrame = /^\s+at .*(node_modules\/|\(node:|\(<anonymous>\)|at new Promise)/;

/** One line: which suite was not run, and why. */
export const skipLine = ({ where, name, reason, count }: Skip): string =>
  `skipped  ${where}${name === "" ? "" : ` › ${name}`}${count > 1 ? ` (${count} tests)` : ""}: ${reason}`;

/** The end of the output of `npm test`: skipped suites, failures with their messages, then the totals as last line. */
export function report(total: Outcome): string {
  const lines = [...total.skips.map(skipLine), ...total.failures.flatMap(failureLines)];
  return [...lines, totalsLine(total)].join("\n");
}

function failureLines({ where, name, message }: Failure): string[] {
  const all = stripVTControlCharacters(message)
    .trimEnd()
    .split("\n")
    .filter((line) => !foreignFrame.test(line));
  const left = all.length - HEAD_LINES - TAIL_LINES;
  const shown =
    left <= 0 ? all : [...all.slice(0, HEAD_LINES), `… ${left} lines, see above …`, ...all.slice(-TAIL_LINES)];
  return [`FAILED   ${where}${name === "" ? "" : ` › ${name}`}`, ...shown.map((line) => `    ${line}`)];
}
