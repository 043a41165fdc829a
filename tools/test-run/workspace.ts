import { existsSync, globSync, readFileSync } from "node:fs";
import path from "node:path";

import { root } from "./command.ts";

/** A package of the workspace. */
export interface Package {
  /** Folder under packages/. */
  folder: string;
  /** npm name. */
  name: string;
  private: boolean;
}

/** All packages, by folder name. */
export function packages(): Package[] {
  return globSync("packages/*/package.json", { cwd: root })
    .toSorted()
    .map((file) => {
      const manifest = JSON.parse(readFileSync(path.join(root, file), "utf8")) as { name: string; private?: boolean };
      return {
        folder: path.basename(path.dirname(file)),
        name: manifest.name,
        private: manifest.private ?? false,
      };
    });
}

/** Whether a package has tests in test/e2e (`e2e`) or elsewhere under test/ (`unit`). */
export function hasTests(folder: string, kind: "unit" | "e2e"): boolean {
  const tests = path.join(root, "packages", folder, "test");
  if (!existsSync(tests)) return false;
  return globSync("**/*.test.ts", { cwd: tests }).some((file) => file.startsWith("e2e/") === (kind === "e2e"));
}
