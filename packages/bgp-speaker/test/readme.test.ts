import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";

import { afterEach, beforeEach, expect, test } from "@jest/globals";

import { Gobgpd, gobgp310, gobgp336, gobgp4, whyNoGobgpd } from "./lab/gobgpd.ts";
import { describeUnless } from "./release.contract.ts";

const PACKAGE = new URL("..", import.meta.url).pathname;

describeUnless(whyNoGobgpd(gobgp4) && whyNoGobgpd(gobgp336) && whyNoGobgpd(gobgp310), "README", () => {
  let daemon: Gobgpd;

  beforeEach(() => {
    const release = [gobgp4, gobgp336, gobgp310].find((one) => whyNoGobgpd(one) === "") ?? gobgp4;
    daemon = new Gobgpd(release);
    daemon.start();
  });

  afterEach(() => daemon.remove());

  test("the example runs and prints what it says", async () => {
    await daemon.untilListening();
    const [, code = ""] = /```ts no-run\n(.*?)```/s.exec(readFileSync(`${PACKAGE}README.md`, "utf8")) ?? [];
    const said = [...code.matchAll(/console\.log\(.*?\); \/\/ (.*)/g)].map(([, line]) => line);
    expect(said).toHaveLength(3);
    const script = code.replace("unix:///run/gobgp.sock", daemon.url);
    const args = ["--conditions=@fiberlb/source", "--input-type=module-typescript", "--eval", script];
    const child = spawn(process.execPath, args, { cwd: PACKAGE, stdio: ["ignore", "pipe", "pipe"] });
    const [stdout, stderr, [status]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
    expect({ status, lines: stdout.trim().split("\n") }).toEqual({ status: 0, lines: said });
    expect(stderr).toContain("GoBGP: ready");
  });
});
