import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

import { expect, test } from "@jest/globals";

const PACKAGE = new URL("..", import.meta.url).pathname;

test("the README's example runs and prints an address of a Service", () => {
  const [, code = ""] = /```ts\n(.*?)```/s.exec(readFileSync(`${PACKAGE}README.md`, "utf8")) ?? [];
  const args = ["--conditions=@fiberlb/source", "--input-type=module-typescript", "--eval", code];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { cwd: PACKAGE, encoding: "utf8" });
  expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
  expect(stdout).toMatch(/^10\.96\.\d+\.\d+\n$/);
});
