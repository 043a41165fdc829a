import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

import { expect, test } from "@jest/globals";

import { useTemporaryDirectory } from "./sqlite/temporary-directory.ts";

const PACKAGE = new URL("..", import.meta.url).pathname;
const freshPath = useTemporaryDirectory();

test("the README's example runs and prints what it says", () => {
  const [, code = ""] = /```ts\n(.*?)```/s.exec(readFileSync(`${PACKAGE}README.md`, "utf8")) ?? [];
  const said = [...code.matchAll(/console\.log\(.*?\); \/\/ (.*)/g)].map(([, line]) => line);
  expect(said.length).toBeGreaterThan(0);
  const script = code.replace("data/app.db", freshPath());
  const args = ["--conditions=@fiberlb/source", "--input-type=module-typescript", "--eval", script];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { cwd: PACKAGE, encoding: "utf8" });
  expect({ stderr, status, lines: stdout.trim().split("\n") }).toEqual({ stderr: "", status: 0, lines: said });
});
