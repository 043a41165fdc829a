import type { Law, Violation } from "../law.ts";
import { packageNameOf, type Repository, targetOf } from "../repository.ts";
import type { Import, SourceFile } from "../source-file.ts";
import { type FolderRule, folderRules, type ModuleRule, moduleRules } from "../table.ts";

/** Inside a package, folders know each other only as the architecture allows. */
export const foldersLaw: Law = {
  name: "folders import only what the architecture allows",
  check: (repository) =>
    repository.packages
      .flatMap(({ src }) => src)
      .flatMap((file) => [
        ...folderRules.filter(({ files }) => files.test(file.path)).flatMap((rule) => folder(repository, rule, file)),
        ...moduleRules.filter(({ files }) => files.test(file.path)).flatMap((rule) => modules(rule, file)),
      ]),
};

const folder = ({ packages }: Repository, rule: FolderRule, file: SourceFile): Violation[] =>
  file.imports.flatMap((found) => {
    const target = targetOf(file, found);
    const name = packageNameOf(found);
    const ours = packages.some(({ manifest }) => manifest.name === name);
    const allowed =
      target === undefined
        ? !ours || name === undefined || rule.packages === undefined || rule.packages.includes(name)
        : rule.may.test(target);
    return allowed ? [] : [violation(file, found, rule.instead)];
  });

const modules = (rule: ModuleRule, file: SourceFile): Violation[] =>
  file.imports
    .filter((found) => rule.not.test(targetOf(file, found) ?? found.specifier))
    .filter(({ typeOnly }) => !(rule.exceptTypes === true && typeOnly))
    .map((found) => violation(file, found, rule.instead));

const violation = (file: SourceFile, { specifier, line }: Import, instead: string): Violation => ({
  file: file.path,
  line,
  message: `may not import "${specifier}": ${instead}`,
});
