import { isBuiltin } from "node:module";

import type { Law, Violation } from "../law.ts";
import { type Package, packageNameOf } from "../repository.ts";
import type { SourceFile } from "../source-file.ts";

/** Every import is declared in the package.json, and every declared dependency is imported. */
export const dependenciesLaw: Law = {
  name: "dependencies are declared where they are used, and used where they are declared",
  check: ({ packages, rootDevDependencies }) =>
    packages.flatMap((one) => {
      const { manifest } = one;
      const production = { ...manifest.dependencies, ...manifest.peerDependencies, ...manifest.optionalDependencies };
      const inSource = new Set([manifest.name, ...Object.keys(production)]);
      const inTests = new Set([...inSource, ...Object.keys(manifest.devDependencies ?? {}), ...rootDevDependencies]);
      return [
        ...[...one.src, ...one.bin].flatMap((file) => undeclared(file, inSource, "dependencies")),
        ...one.test.flatMap((file) => undeclared(file, inTests, "devDependencies")),
        ...unused(one),
      ];
    }),
};

const undeclared = (file: SourceFile, declared: ReadonlySet<string>, where: string): Violation[] =>
  file.imports.flatMap((found) => {
    const name = packageNameOf(found);
    if (name === undefined || isBuiltin(name) || declared.has(name)) return [];
    return [{ file: file.path, line: found.line, message: `${name} is not in the package's ${where}: add it` }];
  });

function unused({ folder, manifest, src, test, bin }: Package): Violation[] {
  const used = new Set([...src, ...bin].flatMap((file) => file.imports.map(packageNameOf)));
  const usedInTests = new Set([...test].flatMap((file) => file.imports.map(packageNameOf)));
  const message = (name: string, list: string): Violation => ({
    file: `packages/${folder}/package.json`,
    message: `${name} is in ${list} but nothing imports it: remove it`,
  });
  return [
    ...Object.keys(manifest.dependencies ?? {})
      .filter((name) => !used.has(name) && !isGeneratedRuntime(name, folder))
      .map((name) => message(name, "dependencies")),
    ...Object.keys(manifest.devDependencies ?? {})
      .filter((name) => !usedInTests.has(name) && !used.has(name))
      .map((name) => message(name, "devDependencies")),
  ];
}

/** Generated code, which the laws don't parse, imports the protobuf runtime in the packages that hold some. */
const isGeneratedRuntime = (name: string, folder: string): boolean =>
  name === "@bufbuild/protobuf" && ["api", "store", "bgp-speaker"].includes(folder);
