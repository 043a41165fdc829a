import type { Law, Violation } from "../law.ts";
import { type Node, type SourceFile, walk } from "../source-file.ts";
import { timeAndChance } from "../table.ts";

const globals = new Set(["setTimeout", "setInterval"]);
const members = new Set(["Date.now", "performance.now", "Math.random", "process.hrtime"]);
const timerModules = /^(node:)?timers(\/promises)?$/;

/** Time and chance are arguments, so that tests can hold them still. */
export const timeAndChanceLaw: Law = {
  name: "time and chance come in as arguments",
  check: ({ packages }) =>
    packages
      .flatMap(({ src }) => src)
      .filter(({ path }) => !timeAndChance.some(({ files }) => files.test(path)))
      .flatMap(check),
};

function check(file: SourceFile): Violation[] {
  const found: Violation[] = [];
  const add = (offset: number, what: string): void => {
    const message = `${what} is only for clock.ts and random.ts: take a Clock, or a random function, as an argument`;
    found.push({ file: file.path, line: file.lineAt(offset), message });
  };
  for (const { specifier, line } of file.imports) {
    if (timerModules.test(specifier)) {
      found.push({ file: file.path, line, message: `${specifier} is only for clock.ts: take a Clock as an argument` });
    }
  }
  walk(file.program, (node, parent, key) => {
    const what = use(node, parent, key);
    if (what !== undefined) add(node.start, what);
  });
  return found;
}

function use(node: Node, parent: Node | undefined, key: string): string | undefined {
  if (node.type === "NewExpression" && node.arguments.length === 0 && isName(node.callee, "Date")) return "new Date()";
  if (node.type === "CallExpression" && isName(node.callee, "Date")) return "Date()";
  if (node.type === "MemberExpression") return memberUse(node);
  if (node.type !== "Identifier" || !globals.has(node.name)) return undefined;
  return isReference(parent, key) ? node.name : undefined;
}

function memberUse(node: Extract<Node, { type: "MemberExpression" }>): string | undefined {
  if (node.computed || node.property.type !== "Identifier") return undefined;
  const object = isGlobalThis(node.object) ? node.object.property : node.object;
  if (isName(object, "globalThis") && globals.has(node.property.name)) return node.property.name;
  if (object.type !== "Identifier") return undefined;
  const name = `${object.name}.${node.property.name}`;
  return members.has(name) ? name : undefined;
}

const isName = (node: Node, name: string): boolean => node.type === "Identifier" && node.name === name;

const isGlobalThis = (node: Node): node is Extract<Node, { type: "MemberExpression" }> =>
  node.type === "MemberExpression" && isName(node.object, "globalThis");

/** Whether a name stands for the global, and not for a property, a method or a type of that name. */
function isReference(parent: Node | undefined, key: string): boolean {
  switch (parent?.type) {
    case "MemberExpression":
      return key === "object" || parent.computed;
    case "Property":
      return key === "value" || parent.computed;
    case "MethodDefinition":
    case "PropertyDefinition":
    case "TSPropertySignature":
    case "TSMethodSignature":
      return key !== "key";
    case "ImportSpecifier":
    case "ExportSpecifier":
    case "TSTypeQuery":
      return false;
    default:
      return true;
  }
}
