import { globSync, readFileSync } from "node:fs";
import path from "node:path";

import { type Import, parseSource, type SourceFile } from "./source-file.ts";

/** The parts of a package.json that the laws look at. */
export interface Manifest {
  name: string;
  version?: string;
  private?: boolean;
  license?: string;
  type?: string;
  files?: string[];
  engines?: { node?: string };
  exports?: Record<string, string | Record<string, string>>;
  bin?: Record<string, string>;
  repository?: { directory?: string };
  dependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}

export interface Package {
  /** Folder under packages/. */
  folder: string;
  manifest: Manifest;
  /** Parsed files below src/, without generated ones. */
  src: readonly SourceFile[];
  /** Parsed files below test/. */
  test: readonly SourceFile[];
  /** Parsed files below bin/. */
  bin: readonly SourceFile[];
}

/** The repository as the laws see it: made from disk, or from strings in their tests. */
export interface Repository {
  /** Every path, including files that are not parsed. */
  paths: readonly string[];
  texts: Readonly<Record<string, string>>;
  packages: readonly Package[];
  /** All parsed files: of packages and of tools/. */
  files: readonly SourceFile[];
  /** devDependencies of the top package.json, which every package's tests may use. */
  rootDevDependencies: readonly string[];
}

const isCode = (file: string): boolean => /\.(ts|js|mjs)$/.test(file) && !file.endsWith(".d.ts");
const isGenerated = (file: string): boolean => file.includes("/src/gen/");

/** Builds the repository from file texts by path. */
export function repositoryFrom(texts: Readonly<Record<string, string>>): Repository {
  const paths = Object.keys(texts).toSorted();
  const files = paths.filter((file) => isCode(file) && !isGenerated(file)).map((file) => parse(file, texts));
  const manifests = paths.filter((file) => /^packages\/[^/]+\/package\.json$/.test(file));
  const packages = manifests.map((file) => {
    const folder = path.posix.dirname(file);
    const below = (name: string): SourceFile[] => files.filter((one) => one.path.startsWith(`${folder}/${name}/`));
    return {
      folder: path.posix.basename(folder),
      manifest: JSON.parse(texts[file] as string) as Manifest,
      src: below("src"),
      test: below("test"),
      bin: below("bin"),
    };
  });
  const top = JSON.parse(texts["package.json"] ?? "{}") as Manifest;
  return { paths, texts, packages, files, rootDevDependencies: Object.keys(top.devDependencies ?? {}) };
}

const parse = (file: string, texts: Readonly<Record<string, string>>): SourceFile =>
  parseSource(file, texts[file] as string);

const globs = [
  "package.json",
  "packages/*/{package.json,README.md}",
  "packages/*/{src,test,bin}/**",
  "docs/**/*.md",
  "tools/*",
  "tools/!(codegen|node_modules)/**",
];

/** Reads the repository at `root`. */
export function readRepository(root: string): Repository {
  const files = globSync(globs, { cwd: root, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes("node_modules"))
    .map((entry) => path.join(entry.parentPath, entry.name));
  return repositoryFrom(
    Object.fromEntries(
      files.map((file) => [path.relative(root, file).replaceAll(path.sep, "/"), readFileSync(file, "utf8")]),
    ),
  );
}

/** The path of the file that a relative import means; undefined for packages and built-ins. */
export const targetOf = (from: SourceFile, { specifier }: Import): string | undefined =>
  /^\.{1,2}\//.test(specifier) ? path.posix.join(path.posix.dirname(from.path), specifier) : undefined;

/** `@scope/name` or `name` of a package import, without the subpath; undefined for paths, built-ins and #imports. */
export function packageNameOf({ specifier }: Import): string | undefined {
  if (/^[./#]|^node:/.test(specifier)) return undefined;
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}
