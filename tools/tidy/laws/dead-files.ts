import path from "node:path";

import type { Law } from "../law.ts";
import { type Package, targetOf } from "../repository.ts";
import type { SourceFile } from "../source-file.ts";
import { aliveFiles } from "../table.ts";

/** Every file in src is reached from an entry point: exports, bin, main.ts, or a worker's `new URL(…)`. */
export const deadFilesLaw: Law = {
  name: "no dead files",
  check: ({ packages }) =>
    packages.flatMap((one) => {
      const byPath = new Map(one.src.map((file) => [file.path, file]));
      const alive = new Set<string>();
      const entries = [...one.src.filter((file) => isEntry(one, file)), ...one.bin];
      for (const entry of entries) reach(entry, alive, byPath);
      return one.src
        .filter((file) => !alive.has(file.path))
        .map((file) => ({
          file: file.path,
          message: "nothing reaches it from the package's entry points (tests don't count): use it or delete it",
        }));
    }),
};

function isEntry({ folder, manifest }: Package, file: SourceFile): boolean {
  const exported = Object.values(manifest.exports ?? {})
    .map((target) => (typeof target === "string" ? target : target["@fiberlb/source"]))
    .filter((target) => target !== undefined)
    .map((target) => path.posix.join("packages", folder, target));
  return exported.includes(file.path) || aliveFiles.some(({ files }) => files.test(file.path));
}

function reach(file: SourceFile, alive: Set<string>, byPath: ReadonlyMap<string, SourceFile>): void {
  if (alive.has(file.path)) return;
  alive.add(file.path);
  for (const one of file.imports) {
    const next = byPath.get(targetOf(file, one) ?? "");
    if (next !== undefined) reach(next, alive, byPath);
  }
}
