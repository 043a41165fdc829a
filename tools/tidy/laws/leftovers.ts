import type { Law, Violation } from "../law.ts";
import { isIdentifier, type Node, type SourceFile, walk } from "../source-file.ts";

const notes = /\b(TODO|FIXME|XXX|HACK)\b/;
const tests = ["describe", "it", "test"];
const focused = ["fdescribe", "fit"];

/** Nothing half-done is committed: no notes to oneself, no test that silences the others. */
export const leftoversLaw: Law = {
  name: "nothing half-done is left",
  check: ({ files }) => files.flatMap((file) => [...noteComments(file), ...focusedTests(file)]),
};

const noteComments = (file: SourceFile): Violation[] =>
  file.comments
    .filter(({ value }) => notes.test(value))
    .map(({ start, value }) => ({
      file: file.path,
      line: file.lineAt(start),
      message: `${notes.exec(value)?.[1]} comment: do it, or open an issue and delete the comment`,
    }));

function focusedTests(file: SourceFile): Violation[] {
  if (!file.path.endsWith(".test.ts")) return [];
  const found: Violation[] = [];
  walk(file.program, (node) => {
    if (isFocus(node)) {
      found.push({ file: file.path, line: file.lineAt(node.start), message: "silences all other tests: remove it" });
    }
  });
  return found;
}

function isFocus(node: Node): boolean {
  if (node.type === "CallExpression") return focused.some((name) => isIdentifier(node.callee, name));
  return (
    node.type === "MemberExpression" &&
    isIdentifier(node.property, "only") &&
    tests.some((name) => isIdentifier(node.object, name))
  );
}
