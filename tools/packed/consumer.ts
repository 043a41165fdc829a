import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import path from "node:path";

import { type CommandResult, root, run } from "../test-run/command.ts";
import { type Package, packages } from "../test-run/workspace.ts";

/** Packs a built package into `folder`. @returns the tarball's path. @throws {Error} with npm's output */
export async function pack({ folder }: Package, into: string): Promise<string> {
  const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", into];
  const { code, output } = await run("npm", args, { cwd: path.join(root, "packages", folder) });
  const filename = /"filename":\s*"([^"]+)"/.exec(output)?.[1];
  if (code !== 0 || filename === undefined) throw new Error(`npm pack in packages/${folder} failed:\n${output}`);
  return path.join(into, filename);
}

/** A package and the packages of ours that it needs, itself first. */
export function closure(one: Package, all: readonly Package[] = packages()): Package[] {
  const found = new Set([one]);
  for (const { folder } of found) {
    const text = readFileSync(path.join(root, "packages", folder, "package.json"), "utf8");
    const { dependencies = {} } = JSON.parse(text) as { dependencies?: Record<string, string> };
    for (const other of all.filter(({ name }) => name in dependencies)) found.add(other);
  }
  return [...found];
}

/** Makes an empty project that depends on these tarballs and nothing else, and installs it. */
export async function installConsumer(folder: string, tarballs: Readonly<Record<string, string>>): Promise<void> {
  const files = Object.fromEntries(Object.entries(tarballs).map(([name, file]) => [name, `file:${file}`]));
  const manifest = { name: "consumer", private: true, type: "module", dependencies: files };
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, "package.json"), JSON.stringify(manifest, null, 2));
  const flags = ["--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev"];
  const { code, output } = await run("npm", ["install", ...flags], { cwd: folder });
  if (code !== 0) throw new Error(`npm install of ${Object.keys(tarballs).join(", ")} failed:\n${output}`);
}

/** The program that uses a package: tools/packed/samples/<package>.ts, or a look at what it exports. */
export function sample({ folder, name }: Package): string {
  const own = path.join(root, "tools/packed/samples", `${folder}.ts`);
  if (existsSync(own)) return readFileSync(own, "utf8");
  return `import * as everything from "${name}";

const names: string[] = Object.keys(everything);
if (names.length === 0) throw new Error("${name} exports nothing");
console.log(names.join(" "));
`;
}

/** Throws with the program's output when it did not succeed. */
export function succeeded({ code, output }: CommandResult): void {
  if (code !== 0) throw new Error(`exit code ${code}\n${output}`);
}

/** The commands that a package installs. */
export function commandsOf({ folder }: Package): string[] {
  const text = readFileSync(path.join(root, "packages", folder, "package.json"), "utf8");
  return Object.keys((JSON.parse(text) as { bin?: Record<string, string> }).bin ?? {});
}

/** Runs an installed command. */
export const runCommand = (folder: string, name: string, args: readonly string[]): Promise<CommandResult> =>
  run(path.join(folder, "node_modules/.bin", name), args, {
    cwd: folder,
    env: { NODE_OPTIONS: "" },
    timeoutMs: 60_000,
  });

/** Runs the sample as plain JavaScript, with no condition and no type stripping: what a user has. */
export function runJavaScript(folder: string, text: string): Promise<CommandResult> {
  writeFileSync(path.join(folder, "sample.js"), stripTypeScriptTypes(text));
  return run("node", ["sample.js"], { cwd: folder, env: { NODE_OPTIONS: "" }, timeoutMs: 60_000 });
}

/**
 * Type-checks the sample against the packed declarations, strictly and with those of the dependencies. Faults inside
 * other people's packages (Connect wants a DOM type) are not counted.
 */
export async function typeCheck(folder: string, text: string, kind: "nodenext" | "preserve"): Promise<CommandResult> {
  writeFileSync(path.join(folder, "sample.ts"), text);
  const compilerOptions = {
    target: "es2024",
    lib: ["esnext"],
    module: kind,
    ...(kind === "preserve" ? { moduleResolution: "bundler" } : {}),
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    skipLibCheck: false,
    typeRoots: [path.join(root, "node_modules/@types")],
    types: ["node"],
  };
  writeFileSync(path.join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["sample.ts"] }, null, 2));
  const { code, output } = await run("tsc", ["-p", ".", "--pretty", "false"], { cwd: folder, timeoutMs: 60_000 });
  const foreign = /^node_modules\/(?!@fiberlb\/|fiberlb\/)\S+\(\d+,\d+\): error/;
  const faults = output.split("\n").filter((line) => line !== "" && !foreign.test(line));
  return faults.length === 0 && code !== null ? { code: 0, output } : { code, output: faults.join("\n") };
}
