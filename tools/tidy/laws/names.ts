import path from "node:path";

import type { Law, Violation } from "../law.ts";
import { bannedNames } from "../table.ts";

const kebab = /^[a-z0-9]+(-[a-z0-9]+)*$/;

/** File and folder names say what is inside, in kebab-case. */
export const namesLaw: Law = {
  name: "file and folder names say what is inside",
  check: ({ paths }) =>
    paths
      .filter((file) => /^(packages\/[^/]+\/(src|test|bin)|tools)\//.test(file) && !file.includes("/gen/"))
      .flatMap(check),
};

function check(file: string): Violation[] {
  const words = file.split("/").flatMap((part) => part.split(".").filter((word) => word !== ""));
  const banned = words.find((word) => bannedNames.includes(word));
  if (banned !== undefined) {
    return [{ file, message: `"${banned}" says nothing about what is inside: name it after what it does` }];
  }
  const stem = path.posix.basename(file).split(".")[0] as string;
  if (!/\.(ts|mjs|js)$/.test(file) || kebab.test(stem)) return [];
  return [{ file, message: "file names are kebab-case" }];
}
