import { processIo } from "@fiberlb/cli";
import { expect, jest, test } from "@jest/globals";

import { createProgram, runFiberlb as runInProcess } from "../../src/index.ts";
import { runFiberlb } from "./program.ts";

jest.setTimeout(60_000);

type Command = ReturnType<typeof createProgram>;

/** Every command line of the program that has a help page. */
function commandLines(command: Command, path: readonly string[] = []): string[][] {
  return [[...path], ...command.commands.flatMap((child) => commandLines(child, [...path, child.name()]))];
}

test("demo --check exits 0 and tells the story", async () => {
  const { code, stdout, stderr } = await runFiberlb(["demo", "--check"]);
  const story = stdout.join("\n");
  expect(stderr).toEqual([]);
  for (const part of [
    /load balancer {2}web +127\.10\.0\.1:\d+, TCP, Maglev/,
    /1\. 60 requests.*\n +alpha \d+, beta \d+, gamma \d+\n +ok +every backend answers/,
    /2\. the same through the HTTP listener.*\n +alpha 20, beta 20, gamma 20\n +ok +each backend.*\n +FiberLB 1\n +ok +its policy/,
    /3\. kill -9 \d+ \(beta\).*\n +beta is OFFLINE: connection (refused|reset) by .*\n +alpha \d+, gamma \d+\n +ok +traffic moved/,
    /4\. start beta again\n +beta is ONLINE\n +alpha \d+, beta \d+, gamma \d+\n +ok +its traffic came back/,
    /Everything was as it should be\.$/,
  ])
    expect(story).toMatch(part);
  expect(code).toBe(0);
});

test("--help of every command exits 0, says what it does and shows an example", async () => {
  const lines = commandLines(createProgram(processIo())).filter((path) => path.at(-1) !== "help");
  expect(lines.length).toBeGreaterThan(12);
  for (const line of lines) {
    let page = `fiberlb ${line.join(" ")}: `;
    const code = await runInProcess([...line, "--help"], {
      ...processIo(),
      stdout: { write: (text) => (page += text) },
    });
    expect(page).toMatch(/Usage: fiberlb/);
    expect(page).toMatch(/Examples?:\n +\$ /);
    expect(code).toBe(0);
  }
});

test.each([
  [["bogus"], /unknown command 'bogus'/],
  [["serv"], /unknown command 'serv'/],
  [["serve", "--confg", "x"], /unknown option '--confg'/],
  [["store", "backup"], /missing required argument 'file'/],
  [["get"], /missing required argument/],
])("wrong usage exits 2: fiberlb %j", async (args, message) => {
  const { code, stdout, stderr } = await runFiberlb(args);
  expect(stderr.join("\n")).toMatch(message);
  expect(stdout).toEqual([]);
  expect(code).toBe(2);
});

test("a server that is not there: one line that says which and what to do, exit code 1", async () => {
  const { code, stderr } = await runFiberlb(["status", "--server", "http://127.0.0.1:1"]);
  expect(stderr).toEqual([expect.stringMatching(/http:\/\/127\.0\.0\.1:1.*refused.*fiberlb serve/)]);
  expect(code).toBe(1);
});
