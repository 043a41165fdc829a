import type { Law } from "../law.ts";

const page = "docs/decisions/0002-dependencies.md";

/** Whoever adds a dependency says why, in the table of the decision on dependencies. */
export const dependencyReasonsLaw: Law = {
  name: "every dependency of a package has its reason written down",
  check: ({ packages, texts }) =>
    packages.flatMap(({ folder, manifest }) =>
      Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies, ...manifest.optionalDependencies })
        .filter((name) => !packages.some((other) => other.manifest.name === name))
        .filter((name) => !users(texts[page] ?? "", name).includes(folder))
        .map((name) => ({
          file: `packages/${folder}/package.json`,
          message: `${name}, used by ${folder}, is not in the table of ${page}: add it with its reason`,
        })),
    ),
};

/** The second column of the row that begins with `name`: the packages that use it. */
function users(markdown: string, name: string): string[] {
  const rows = markdown.split("\n").map((line) => line.split("|").map((cell) => cell.trim()));
  return rows.find((cells) => cells[1] === `\`${name}\``)?.[2]?.split(/[ ,]+/) ?? [];
}
