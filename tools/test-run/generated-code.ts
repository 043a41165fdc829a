import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { root, run } from "./command.ts";
import { fail, type Outcome, pass, skip } from "./outcome.ts";

const codegen = path.join(root, "tools/codegen");
const name = "generated code";

/** Whether the committed generated code is what `npm run generate` makes of proto/. */
export async function generatedCode(): Promise<Outcome> {
  if (!isInstalled()) {
    const { code, output } = await run("npm", ["ci", "--ignore-scripts"], { cwd: codegen, timeoutMs: 3 * 60_000 });
    if (code !== 0) return skip(name, `npm ci in tools/codegen failed: ${firstError(output)}`);
  }
  const env = { PATH: `${codegen}/node_modules/.bin:${process.env["PATH"]}` };
  const temporary = mkdtempSync(path.join(tmpdir(), "fiberlb-generated-"));
  try {
    const commands = [["lint"], ["format", "--diff", "--exit-code"], ["generate", "--output", temporary]];
    for (const args of commands) {
      const { code, output } = await run("buf", args, { env });
      if (code !== 0) return fail(name, `buf ${args[0]} (exit code ${code})\n${output}`);
    }
    const differing = outputFolders().flatMap((folder) =>
      differences(path.join(temporary, folder), path.join(root, folder)).map((line) => `${folder}/${line}`),
    );
    if (differing.length === 0) return pass();
    return fail(name, `differs from proto/; run "npm run generate" and commit:\n${differing.join("\n")}`);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** npm notes what it installed; a newer lock file means that it is out of date. */
function isInstalled(): boolean {
  const installed = path.join(codegen, "node_modules/.package-lock.json");
  const wanted = path.join(codegen, "package-lock.json");
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(wanted).mtimeMs;
}

function outputFolders(): string[] {
  const config = readFileSync(path.join(root, "buf.gen.yaml"), "utf8");
  return [...new Set([...config.matchAll(/^\s+out:\s*(\S+)/gm)].map((match) => match[1] as string))];
}

/** Files that are missing, left over or changed in `committed`, compared with `fresh`. */
export function differences(fresh: string, committed: string): string[] {
  const [wanted, actual] = [fresh, committed].map((folder) => new Set(files(folder))) as [Set<string>, Set<string>];
  return [
    ...[...wanted.difference(actual)].map((file) => `${file}: missing`),
    ...[...actual.difference(wanted)].map((file) => `${file}: no longer generated`),
    ...[...wanted.intersection(actual)]
      .filter((file) => !readFileSync(path.join(fresh, file)).equals(readFileSync(path.join(committed, file))))
      .map((file) => `${file}: changed`),
  ].toSorted();
}

const files = (folder: string): string[] =>
  existsSync(folder)
    ? globSync("**", { cwd: folder, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    : [];

const firstError = (output: string): string =>
  output.split("\n").find((line) => /^npm (error|ERR!)/.test(line)) ?? "no message";
