import type { Law, Violation } from "../law.ts";
import { type Package, packageNameOf, type Repository, targetOf } from "../repository.ts";
import type { Import, SourceFile } from "../source-file.ts";
import { packageImports } from "../table.ts";

/** Packages use each other only as the table allows, and only through their `exports`. */
export const packageImportsLaw: Law = {
  name: "packages import only what the architecture's table allows",
  check: (repository) =>
    repository.packages.flatMap((one) => [
      ...unknownPackage(one),
      ...[...one.src, ...one.test, ...one.bin].flatMap((file) =>
        file.imports.flatMap((found) => check(repository, one, file, found)),
      ),
    ]),
};

const unknownPackage = ({ folder }: Package): Violation[] =>
  folder in packageImports
    ? []
    : [
        {
          file: `packages/${folder}`,
          message: "not in packageImports of tools/tidy/table.ts: add its allowed imports",
        },
      ];

function check(repository: Repository, one: Package, file: SourceFile, found: Import): Violation[] {
  const at = { file: file.path, line: found.line };
  const target = targetOf(file, found);
  if (target !== undefined && !target.startsWith(`packages/${one.folder}/`)) {
    return [{ ...at, message: `"${found.specifier}" leaves the package: import the other package by its name` }];
  }
  const name = packageNameOf(found);
  const other = repository.packages.find(({ manifest }) => manifest.name === name);
  if (name === undefined || other === undefined) return [];
  if (other !== one && !packageImports[one.folder]?.includes(other.folder)) {
    const allowed = packageImports[one.folder]?.join(", ") || "none of ours";
    return [{ ...at, message: `${one.folder} may not import ${name} (it may import: ${allowed})` }];
  }
  const subpath = `.${found.specifier.slice(name.length)}`;
  return subpath in (other.manifest.exports ?? {})
    ? []
    : [{ ...at, message: `"${found.specifier}" is not in the exports of ${name}: use its public names` }];
}
