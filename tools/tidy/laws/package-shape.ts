import type { Law } from "../law.ts";
import type { Manifest, Package, Repository } from "../repository.ts";
import { node22Packages } from "../table.ts";

/** Every package can be installed, read about and tested on its own. */
export const packageShapeLaw: Law = {
  name: "every package has a README, an index, tests and a sound package.json",
  check: (repository) =>
    repository.packages.flatMap((one) => [
      ...missingFiles(repository, one).map((message) => ({ file: `packages/${one.folder}`, message })),
      ...manifestFaults(repository, one).map((message) => ({ file: `packages/${one.folder}/package.json`, message })),
    ]),
};

function missingFiles({ paths }: Repository, { folder, test }: Package): string[] {
  const wanted = ["README.md", "src/index.ts"].filter((file) => !paths.includes(`packages/${folder}/${file}`));
  return [
    ...wanted.map((file) => `has no ${file}: write it`),
    ...(test.some(({ path }) => path.endsWith(".test.ts")) ? [] : ["has no test/**/*.test.ts: write one"]),
  ];
}

function manifestFaults({ packages }: Repository, { folder, manifest }: Package): string[] {
  const node = node22Packages.includes(folder) ? ">=22.18" : ">=26";
  const expectations: [keyof Manifest, string | undefined, string | undefined][] = [
    ["type", manifest.type, "module"],
    ["license", manifest.license, "Apache-2.0"],
    ["version", manifest.version, packages[0]?.manifest.version],
    ["engines", manifest.engines?.node, node],
    ["repository", manifest.repository?.directory, `packages/${folder}`],
  ];
  return [
    ...expectations
      .filter(([, actual, expected]) => actual !== expected)
      .map(([key, actual, expected]) => `"${key}" is ${actual}: make it ${expected}`),
    ...exportFaults(manifest),
    ...versionFaults(manifest, packages),
  ];
}

/** Sources first for ourselves, declarations before code for everybody else: the order of conditions matters. */
function exportFaults({ exports = {} }: Manifest): string[] {
  const wanted = ["@fiberlb/source", "types", "default"];
  return Object.entries(exports)
    .filter(([subpath]) => subpath !== "./package.json")
    .filter(([, target]) => typeof target === "string" || Object.keys(target).join() !== wanted.join())
    .map(([subpath]) => `"exports" of "${subpath}" must have the conditions ${wanted.join(", ")}, in this order`);
}

const versionFaults = (manifest: Manifest, packages: readonly Package[]): string[] =>
  Object.entries(manifest.dependencies ?? {}).flatMap(([name, range]) => {
    const version = packages.find((other) => other.manifest.name === name)?.manifest.version;
    return version === undefined || version === range ? [] : [`depends on ${name} ${range}: make it ${version}`];
  });
