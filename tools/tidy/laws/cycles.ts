import type { Law, Violation } from "../law.ts";
import { targetOf } from "../repository.ts";
import type { SourceFile } from "../source-file.ts";

/** No file imports itself by way of others, types included: what two files share stands in a third. */
export const cyclesLaw: Law = {
  name: "no cycles between files",
  check: ({ files }) => {
    const byPath = new Map(files.map((file) => [file.path, file]));
    const done = new Set<string>();
    return files.flatMap((file) => cyclesFrom(file, [], done, byPath));
  },
};

function cyclesFrom(
  file: SourceFile,
  trail: readonly SourceFile[],
  done: Set<string>,
  byPath: ReadonlyMap<string, SourceFile>,
): Violation[] {
  if (done.has(file.path)) return [];
  const path = [...trail, file];
  const found = file.imports.flatMap((one) => {
    const next = byPath.get(targetOf(file, one) ?? "");
    if (next === undefined) return [];
    const start = path.indexOf(next);
    if (start === -1) return cyclesFrom(next, path, done, byPath);
    const names = [...path.slice(start), next].map(({ path: name }) => name.replace(/^packages\/[^/]+\/src\//, ""));
    return [
      {
        file: file.path,
        line: one.line,
        message: `cycle ${names.join(" → ")}: move what they share to a file of its own`,
      },
    ];
  });
  done.add(file.path);
  return found;
}
