import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { afterEach, beforeEach, expect, test } from "@jest/globals";

import { differences } from "./generated-code.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "fiberlb-drift-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(side: string, files: Record<string, string>): string {
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(folder, side, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  return path.join(folder, side);
}

test("names missing, left-over and changed files", () => {
  const fresh = write("fresh", { "v1/a.ts": "1", "v1/b.ts": "2", "v1/new.ts": "3" });
  const committed = write("committed", { "v1/a.ts": "1", "v1/b.ts": "changed", "v0/old.ts": "4" });
  expect(differences(fresh, committed)).toEqual([
    "v0/old.ts: no longer generated",
    "v1/b.ts: changed",
    "v1/new.ts: missing",
  ]);
});

test("equal folders do not differ, and a folder that is not there is empty", () => {
  const fresh = write("fresh", { "a.ts": "1" });
  expect(differences(fresh, write("same", { "a.ts": "1" }))).toEqual([]);
  expect(differences(fresh, path.join(folder, "absent"))).toEqual(["a.ts: missing"]);
});
