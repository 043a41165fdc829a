import { describe, expect, test } from "@jest/globals";

import { check } from "./check-stages.ts";
import { run } from "./command.ts";

const script = (text: string): [string, string, string] => [process.execPath, "-e", text];

describe("run", () => {
  test("collects stdout and stderr, and the exit code", async () => {
    const [command, ...args] = script(`console.log("out"); console.error("err"); process.exitCode = 3`);
    const { code, output } = await run(command, args);
    expect(code).toBe(3);
    expect(output).toContain("out\n");
    expect(output).toContain("err\n");
  });

  test("stdin is closed, so that nothing waits for an answer", async () => {
    const [command, ...args] = script(`process.stdin.resume().on("end", () => console.log("end of input"))`);
    expect((await run(command, args)).output).toBe("end of input\n");
  });

  test("a program that does not exist is an answer, not an exception", async () => {
    expect(await run("no-such-program", [])).toMatchObject({ code: null, output: expect.stringMatching(/ENOENT/) });
  });

  test("kills a program that does not end, with its children", async () => {
    const child = `require("child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1e6)"], { stdio: "inherit" })`;
    const [command, ...args] = script(child);
    // The grandchild holds the output open: `run` only returns because it was killed too.
    const { code, output } = await run(command, args, { timeoutMs: 500 });
    expect(code).toBeNull();
    expect(output).toContain("did not end within 0.5 s and was killed");
  });
});

test("ends what a program left running behind it", async () => {
  const left = `require("child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1e6)"], { stdio: "inherit" }).unref()`;
  const [command, ...args] = script(`${left}; process.exit(0)`);
  expect(await run(command, args, { timeoutMs: 60_000 })).toEqual({ code: 0, output: "" });
});

describe("check", () => {
  test("passes on exit code 0", async () => {
    expect(await check("lint", script(""))).toMatchObject({ passed: 1, failed: 0 });
  });

  test("fails with the command's output otherwise", async () => {
    const outcome = await check("lint", script(`console.log("a.ts:1"); process.exit(1)`));
    expect(outcome).toMatchObject({ failed: 1, failures: [{ where: "lint" }] });
    expect(outcome.failures[0]?.message).toContain("a.ts:1");
  });
});
