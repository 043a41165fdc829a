import { type Comment, type Node, parseSync, type Program } from "oxc-parser";

export type { Comment, Node };

/** One module that a file names, in whatever way. */
export interface Import {
  specifier: string;
  line: number;
  /** Gone at run time: `import type`, `export type … from`, `typeof import(…)`. */
  typeOnly: boolean;
  /** The names taken from the module; empty for `import "x"`, `import("x")` and `export *`. */
  names: readonly string[];
}

/** A parsed source file. */
export interface SourceFile {
  /** From the top of the repository, with slashes. */
  path: string;
  text: string;
  program: Program;
  comments: readonly Comment[];
  imports: readonly Import[];
  lineAt: (offset: number) => number;
  syntaxErrors: readonly { line: number; message: string }[];
}

/** Parses a TypeScript or JavaScript file. One with a syntax error has what could be read, and the errors. */
export function parseSource(path: string, text: string): SourceFile {
  const { program, comments, errors } = parseSync(path, text);
  const lineAt = lineIndex(text);
  const syntaxErrors = errors.map(({ message, labels }) => ({ message, line: lineAt(labels[0]?.start ?? 0) }));
  return { path, text, program, comments, imports: importsOf(program, lineAt), lineAt, syntaxErrors };
}

/** Calls `visit` for every node below `node`, parents first; `key` is the parent's property that holds the node. */
export function walk(node: Node, visit: (node: Node, parent: Node | undefined, key: string) => void): void {
  const enter = (current: Node, parent: Node | undefined, key: string): void => {
    visit(current, parent, key);
    for (const [name, value] of Object.entries(current)) {
      for (const child of Array.isArray(value) ? (value as unknown[]) : [value]) {
        if (isNode(child)) enter(child, current, name);
      }
    }
  };
  enter(node, undefined, "");
}

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string";

function lineIndex(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    const after = starts.findIndex((start) => start > offset);
    return after === -1 ? starts.length : after;
  };
}

function importsOf(program: Program, lineAt: (offset: number) => number): Import[] {
  const found: Import[] = [];
  walk(program, (node) => {
    const one = importIn(node);
    if (one !== undefined) found.push({ ...one, line: lineAt(node.start) });
  });
  return found;
}

function importIn(node: Node): Omit<Import, "line"> | undefined {
  switch (node.type) {
    case "ImportDeclaration": {
      const typeOnly =
        node.importKind === "type" || (node.specifiers.length > 0 && node.specifiers.every(isTypeSpecifier));
      return { specifier: node.source.value, typeOnly, names: node.specifiers.map(importedName) };
    }
    case "ExportNamedDeclaration": {
      if (node.source === null) return undefined;
      const typeOnly =
        node.exportKind === "type" ||
        (node.specifiers.length > 0 && node.specifiers.every(({ exportKind }) => exportKind === "type"));
      return { specifier: node.source.value, typeOnly, names: node.specifiers.map(({ local }) => nameOf(local)) };
    }
    case "ExportAllDeclaration":
      return { specifier: node.source.value, typeOnly: node.exportKind === "type", names: [] };
    case "ImportExpression":
      return literal(node.source, false);
    case "TSImportType":
      return literal(node.source, true);
    case "NewExpression":
      // new URL("./worker.ts", import.meta.url) is how a worker thread names its file
      return isIdentifier(node.callee, "URL") && node.arguments.length === 2
        ? relative(literal(node.arguments[0], false))
        : undefined;
    case "CallExpression":
      return isIdentifier(node.callee, "require") ? literal(node.arguments[0], false) : undefined;
    default:
      return undefined;
  }
}

type Specifier = Extract<Node, { type: "ImportDeclaration" }>["specifiers"][number];

const isTypeSpecifier = (specifier: Specifier): boolean =>
  specifier.type === "ImportSpecifier" && specifier.importKind === "type";

const importedName = (specifier: Specifier): string =>
  specifier.type === "ImportSpecifier"
    ? nameOf(specifier.imported)
    : specifier.type === "ImportDefaultSpecifier"
      ? "default"
      : "*";

const nameOf = (name: { type: string; name?: string; value?: unknown }): string => name.name ?? String(name.value);

const literal = (node: Node | undefined, typeOnly: boolean): Omit<Import, "line"> | undefined =>
  node?.type === "Literal" && typeof node.value === "string"
    ? { specifier: node.value, typeOnly, names: [] }
    : undefined;

const relative = (found: Omit<Import, "line"> | undefined): Omit<Import, "line"> | undefined =>
  found !== undefined && /^\.{1,2}\//.test(found.specifier) ? found : undefined;

/** Whether a node is the plain name `name`. */
export const isIdentifier = (node: Node, name: string): boolean => node.type === "Identifier" && node.name === name;
