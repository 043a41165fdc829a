import { isBuiltin } from "node:module";

import type { Law, Violation } from "../law.ts";
import { targetOf } from "../repository.ts";
import type { SourceFile } from "../source-file.ts";
import { computingBuiltins, pureFiles } from "../table.ts";

/** A pure file does no I/O and knows no clock, and neither does anything that it loads. */
export const pureFilesLaw: Law = {
  name: "pure files reach no I/O and no clock, directly or through what they import",
  check: ({ files }) => {
    const byPath = new Map(files.map((file) => [file.path, file]));
    return files
      .filter(({ path }) => pureFiles.some((pattern) => pattern.test(path)))
      .flatMap((file) => impurities(file, byPath));
  },
};

function impurities(start: SourceFile, byPath: ReadonlyMap<string, SourceFile>): Violation[] {
  const seen = new Set([start.path]);
  const found: Violation[] = [];
  const visit = (file: SourceFile, via: { line: number; chain: string }): void => {
    for (const one of file.imports.filter(({ typeOnly }) => !typeOnly)) {
      const at = file === start ? { line: one.line, chain: "" } : via;
      const target = targetOf(file, one);
      if (impure(target ?? one.specifier)) {
        found.push({
          file: start.path,
          line: at.line,
          message: `pure file reaches "${one.specifier}"${at.chain}: take its result as an argument`,
        });
        continue;
      }
      const next = target === undefined ? undefined : byPath.get(target);
      if (next === undefined || seen.has(next.path)) continue;
      seen.add(next.path);
      visit(next, { line: at.line, chain: `${at.chain} through ${next.path}` });
    }
  };
  visit(start, { line: 1, chain: "" });
  return found;
}

const impure = (module: string): boolean =>
  /(^|\/)(clock|random)\.ts$/.test(module) || (isBuiltin(module) && !computingBuiltins.includes(module));
