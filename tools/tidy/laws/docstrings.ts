import type { Law, Violation } from "../law.ts";
import { targetOf } from "../repository.ts";
import type { Node, SourceFile } from "../source-file.ts";

/** Every name that a package exports says in a docstring what it is. */
export const docstringsLaw: Law = {
  name: "exported names have docstrings",
  check: ({ packages }) =>
    packages.flatMap(({ folder, src }) => {
      const byPath = new Map(src.map((file) => [file.path, file]));
      const index = byPath.get(`packages/${folder}/src/index.ts`);
      if (index === undefined) return [];
      return publicNames(index, undefined, byPath)
        .filter(({ documented }) => !documented)
        .map(({ file, offset, name }): Violation => ({
          file: file.path,
          line: file.lineAt(offset),
          message: `${name} is public but has no docstring: say what it is, its units, default and errors`,
        }));
    }),
};

interface PublicName {
  name: string;
  file: SourceFile;
  offset: number;
  documented: boolean;
}

/** The declarations behind the exports of a file; `wanted` = only these names. Other packages' names are theirs. */
export function publicNames(
  file: SourceFile,
  wanted: ReadonlySet<string> | undefined,
  byPath: ReadonlyMap<string, SourceFile>,
): PublicName[] {
  const unique = new Map<string, PublicName>();
  for (const statement of file.program.body) {
    for (const found of exported(statement, file, wanted, byPath)) {
      // Overloads: the docstring of the first one counts for all.
      if (!unique.has(`${found.file.path} ${found.name}`)) unique.set(`${found.file.path} ${found.name}`, found);
    }
  }
  return [...unique.values()];
}

function exported(
  statement: Node,
  file: SourceFile,
  wanted: ReadonlySet<string> | undefined,
  byPath: ReadonlyMap<string, SourceFile>,
): PublicName[] {
  if (statement.type === "ExportAllDeclaration") return follow(file, statement.source.value, wanted, byPath);
  if (statement.type !== "ExportNamedDeclaration") return [];
  const wants = (name: string): boolean => wanted === undefined || wanted.has(name);
  if (statement.declaration !== null) {
    return declaredNames(statement.declaration)
      .filter(wants)
      .map((name) => ({ name, file, offset: statement.start, documented: isDocumented(file, statement.start) }));
  }
  const locals = statement.specifiers
    .filter(({ exported: outer }) => wants(text(outer)))
    .map(({ local }) => text(local));
  if (statement.source !== null) return follow(file, statement.source.value, new Set(locals), byPath);
  return locals.flatMap((name) => localName(name, file, byPath));
}

function follow(
  file: SourceFile,
  specifier: string,
  wanted: ReadonlySet<string> | undefined,
  byPath: ReadonlyMap<string, SourceFile>,
): PublicName[] {
  const next = byPath.get(targetOf(file, { specifier, line: 0, typeOnly: false, names: [] }) ?? "");
  return next === undefined ? [] : publicNames(next, wanted, byPath);
}

/** `export { name }` of something declared, or imported, in the same file. */
function localName(name: string, file: SourceFile, byPath: ReadonlyMap<string, SourceFile>): PublicName[] {
  const declaration = file.program.body.find((statement) => declaredNames(statement).includes(name));
  if (declaration !== undefined) {
    return [{ name, file, offset: declaration.start, documented: isDocumented(file, declaration.start) }];
  }
  const source = file.imports.find(({ names }) => names.includes(name));
  return source === undefined ? [] : follow(file, source.specifier, new Set([name]), byPath);
}

function declaredNames(node: Node): string[] {
  switch (node.type) {
    case "VariableDeclaration":
      return node.declarations.flatMap(({ id }) => (id.type === "Identifier" ? [id.name] : []));
    case "FunctionDeclaration":
    case "TSDeclareFunction":
    case "ClassDeclaration":
    case "TSInterfaceDeclaration":
    case "TSTypeAliasDeclaration":
      return node.id === null ? [] : [node.id.name];
    default:
      return [];
  }
}

const text = (name: { name?: string; value?: unknown }): string => name.name ?? String(name.value);

const isDocumented = ({ comments, text: source }: SourceFile, start: number): boolean =>
  comments.some(
    ({ type, value, end }) =>
      type === "Block" && value.startsWith("*") && end <= start && source.slice(end, start).trim() === "",
  );
