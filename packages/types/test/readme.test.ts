import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";

import { describe, expect, it } from "@jest/globals";

const PACKAGE = new URL("..", import.meta.url);
const readme = readFileSync(new URL("README.md", PACKAGE), "utf8");

/** Each example with the output that the README shows under it. */
const examples = [...readme.matchAll(/```ts\n(.*?)```\s+```text\n(.*?)```/gs)].map(([, code = "", output = ""]) => ({
  code,
  output,
}));

async function run(code: string): Promise<string> {
  const flags = [
    "--conditions=@fiberlb/source",
    "--disable-warning=ExperimentalWarning",
    "--input-type=module-typescript",
  ];
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, "--eval", code], { cwd: PACKAGE });
  return stdout;
}

describe("README", () => {
  it("shows the output of every example", () => {
    expect(examples).toHaveLength(readme.match(/```ts\n/g)?.length ?? 0);
  });

  it.each(examples.map(({ code, output }, index) => [index + 1, code, output] as const))(
    "example %d runs",
    async (_, code, output) => {
      expect(await run(code)).toBe(output);
    },
    60_000,
  );
});
