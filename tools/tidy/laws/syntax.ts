import type { Law } from "../law.ts";

/** A file that can't be parsed is not judged by the other laws: it must not slip through. */
export const syntaxLaw: Law = {
  name: "every file can be parsed",
  check: ({ files }) =>
    files.flatMap(({ path, syntaxErrors }) =>
      syntaxErrors.map(({ line, message }) => ({ file: path, line, message: `syntax error: ${message}` })),
    ),
};
