import type { Law } from "../law.ts";
import { isIdentifier, type Node, type SourceFile, walk } from "../source-file.ts";

const message = "sleeps: wait for the event itself, or drive a fake Clock (a busy machine makes any sleep too short)";

/** Tests wait for what they expect, never for time to pass. */
export const noSleepsLaw: Law = {
  name: "tests don't sleep",
  check: ({ packages }) =>
    packages
      .flatMap(({ test }) => test)
      .flatMap((file) => [
        ...file.imports
          .filter(({ specifier }) => /^(node:)?timers\/promises$/.test(specifier))
          .map(({ line }) => ({ file: file.path, line, message })),
        ...sleeps(file).map((line) => ({ file: file.path, line, message })),
      ]),
};

/** Lines of `new Promise((resolve) => setTimeout(resolve, …))`. */
function sleeps(file: SourceFile): number[] {
  const lines: number[] = [];
  walk(file.program, (node) => {
    if (node.type !== "NewExpression" || !isIdentifier(node.callee, "Promise")) return;
    const [executor] = node.arguments;
    if (executor?.type !== "ArrowFunctionExpression") return;
    const [resolve] = executor.params;
    if (resolve?.type === "Identifier" && setsTimer(executor.body, resolve.name)) lines.push(file.lineAt(node.start));
  });
  return lines;
}

/** Whether all that a function does is `setTimeout(resolve, …)`. */
function setsTimer(body: Node, resolve: string): boolean {
  if (body.type === "BlockStatement") {
    const [only, ...more] = body.body;
    return more.length === 0 && only?.type === "ExpressionStatement" && setsTimer(only.expression, resolve);
  }
  return (
    body.type === "CallExpression" &&
    isIdentifier(body.callee, "setTimeout") &&
    body.arguments[0] !== undefined &&
    isIdentifier(body.arguments[0], resolve)
  );
}
