import { isBuiltin } from "node:module";

import type { Law } from "../law.ts";
import { purePackages } from "../table.ts";

/** Pure packages import no built-in module, not even as a type: their declarations must work without @types/node. */
export const builtinsLaw: Law = {
  name: "pure packages import no built-in module",
  check: ({ packages }) =>
    packages
      .filter(({ folder }) => purePackages.includes(folder))
      .flatMap(({ folder, src }) =>
        src.flatMap((file) =>
          file.imports
            .filter(({ specifier }) => isBuiltin(specifier))
            .map(({ specifier, line }) => ({
              file: file.path,
              line,
              message: `${folder} also runs outside Node: do without ${specifier}, or take what is needed as an argument`,
            })),
        ),
      ),
};
