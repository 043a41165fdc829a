import { parseArgs } from "node:util";

export interface Options {
  help: boolean;
  /** Folder under packages/, e.g. `maglev`. */
  only?: string;
  fast: boolean;
  install: boolean;
}

export const help = `npm test                        everything: system packages, generated code, format, lint, types, tidy,
                                unit and contract tests, end-to-end tests, cluster, packed tarballs
npm test -- --only PACKAGE      format, lint, types and all tests of packages/PACKAGE
npm test -- --fast              without end-to-end tests, cluster, packed tarballs and system packages
npm test -- --no-install        don't install Debian packages; what needs them is skipped
npm test -- --help              this text

The last line is always "N passed, N failed, N skipped"; the exit code is 1 when something failed, 2 for wrong usage.`;

/**
 * Reads the command line of `npm test`.
 *
 * @param packages folder names under packages/
 * @throws {Error} with a message for the reader when a flag or a package is unknown
 */
export function parseOptions(args: readonly string[], packages: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: "boolean", default: false },
      only: { type: "string" },
      fast: { type: "boolean", default: false },
      "no-install": { type: "boolean", default: false },
    },
  });
  const only = values.only?.replace(/^(@fiberlb\/|packages\/)/, "").replace(/\/$/, "");
  if (only !== undefined && !packages.includes(only)) {
    throw new Error(`--only ${values.only}: no such package; there are ${packages.join(", ")}`);
  }
  return {
    help: values.help,
    fast: values.fast,
    install: !values["no-install"],
    ...(only === undefined ? {} : { only }),
  };
}
