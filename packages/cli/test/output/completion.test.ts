import { spawnSync } from "node:child_process";

import { describe, expect, it } from "@jest/globals";

import { FakeWorld } from "../fake-io.ts";

const isMissing = (shell: string): string =>
  spawnSync(shell, ["-c", "true"]).error === undefined ? "" : `${shell} is not installed`;
const noBash = isMissing("bash");

/** What bash offers after the words; the last one is being typed. */
async function complete(...words: readonly string[]): Promise<readonly string[]> {
  const { stdout: script } = await new FakeWorld().run("completion", "bash");
  const line = ["fiberlb", ...words].map((word) => JSON.stringify(word)).join(" ");
  const ask = `COMP_WORDS=(${line}); COMP_CWORD=${words.length}; _fiberlb; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, status } = spawnSync("bash", ["--norc", "-c", `${script}\n${ask}`], { encoding: "utf8" });
  expect(status).toBe(0);
  return stdout.trim().split("\n");
}

(noBash === "" ? describe : describe.skip)(`completion in bash${noBash === "" ? "" : ` (skipped: ${noBash})`}`, () => {
  it("knows commands, kinds, and flags of each", async () => {
    expect(await complete("exp")).toEqual(["export"]);
    expect(await complete("get", "vip")).toEqual(["vippool"]);
    expect(await complete("get", "lb", "--out")).toEqual(["--output"]);
    expect(await complete("create", "listen")).toEqual(["listener"]);
    expect(await complete("create", "listener", "--default-p")).toEqual(["--default-pool-id"]);
    expect(await complete("apply", "--dry")).toEqual(["--dry-run"]);
  });
});

describe("completion", () => {
  it("gives zsh the same, through its own bash completion", async () => {
    const { stdout } = await new FakeWorld().run("completion", "zsh");
    expect(stdout).toMatch(/^#compdef fiberlb\nautoload .*bashcompinit\n_fiberlb\(\) \{/);
  });

  it("gives fish one line a word", async () => {
    const { stdout } = await new FakeWorld().run("completion", "fish");
    expect(stdout).toContain("complete -c fiberlb -n '__fish_seen_subcommand_from apply' -l dry-run\n");
    expect(stdout).toMatch(/-n '__fish_use_subcommand' -a '.*apply.*'\n/);
  });
});
