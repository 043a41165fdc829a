import type { Law } from "./law.ts";
import { builtinsLaw } from "./laws/builtins.ts";
import { cyclesLaw } from "./laws/cycles.ts";
import { deadFilesLaw } from "./laws/dead-files.ts";
import { dependenciesLaw } from "./laws/dependencies.ts";
import { dependencyReasonsLaw } from "./laws/dependency-reasons.ts";
import { docstringsLaw } from "./laws/docstrings.ts";
import { foldersLaw } from "./laws/folders.ts";
import { leftoversLaw } from "./laws/leftovers.ts";
import { namesLaw } from "./laws/names.ts";
import { noSleepsLaw } from "./laws/no-sleeps.ts";
import { packageImportsLaw } from "./laws/package-imports.ts";
import { packageShapeLaw } from "./laws/package-shape.ts";
import { pureFilesLaw } from "./laws/pure-files.ts";
import { syntaxLaw } from "./laws/syntax.ts";
import { timeAndChanceLaw } from "./laws/time-and-chance.ts";

/** Every law of the house. Lengths and complexity are oxlint's part (.oxlintrc.json). */
export const laws: readonly Law[] = [
  syntaxLaw,
  packageImportsLaw,
  foldersLaw,
  pureFilesLaw,
  builtinsLaw,
  dependenciesLaw,
  dependencyReasonsLaw,
  cyclesLaw,
  deadFilesLaw,
  timeAndChanceLaw,
  noSleepsLaw,
  namesLaw,
  leftoversLaw,
  packageShapeLaw,
  docstringsLaw,
];
