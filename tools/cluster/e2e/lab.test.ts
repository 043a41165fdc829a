import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { afterEach, describe, expect, jest, test } from "@jest/globals";

import { Lab } from "../lab.ts";
import { namespacesOf, sweepDeadRuns } from "../namespaces.ts";
import { hostPlans } from "../plan.ts";
import { whyNoLab } from "../provide.ts";
import { until } from "../until.ts";

jest.setTimeout(60_000);

const script = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const NODE = ["--conditions=@fiberlb/source", "--disable-warning=ExperimentalWarning"];

/** Starts a script; resolves with the last of its first so many lines. */
function start(path: string, lines: number): Promise<{ readonly child: ChildProcess; readonly line: string }> {
  const child = spawn(process.execPath, [...NODE, script(path)], { stdio: ["ignore", "pipe", "inherit"] });
  return new Promise((resolve, reject) => {
    let seen = 0;
    createInterface(child.stdout).on("line", (line) => ++seen === lines && resolve({ child, line }));
    child.once("exit", (code) => reject(new Error(`${path} ended with ${code} after ${seen} lines`)));
  });
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  const ended = once(child, "exit");
  child.kill(signal);
  return ((await ended) as [number | null])[0];
}

const why = whyNoLab();
(why ? describe.skip : describe)(`a lab${why ? ` (skipped: ${why})` : ""}`, () => {
  let lab: Lab | undefined;
  afterEach(async () => {
    await lab?.close();
    lab = undefined;
  });

  test("its machines have names, files and networks of their own, and reach each other", async () => {
    lab = await Lab.open();
    const admin = lab.host("admin");
    expect(await admin.mustRun("hostname; echo mine > /etc/fiberlb/note; cat /etc/fiberlb/note")).toBe("admin\nmine\n");
    expect((await lab.host("router").shell("cat /etc/fiberlb/note")).code).not.toBe(0);
    await admin.mustRun("scp /etc/fiberlb/note lb-1:/etc/fiberlb/");
    expect(await admin.mustRun("ssh lb-1 'hostname; cat /etc/fiberlb/note'")).toBe("lb-1\nmine\n");
    const hops = await lab.host("client-1").mustRun("ip route get 10.97.0.12");
    expect(hops).toContain("via 10.98.1.1");
    await expect(admin.mustRun("systemctl start nothing")).rejects.toThrow("Unit nothing.service not found on admin");
  });

  test("nothing is left of it once it is closed", async () => {
    const closed = await Lab.open();
    expect(namespacesOf(process.pid)).toHaveLength(hostPlans.length);
    await closed.close();
    expect([namespacesOf(process.pid), existsSync(closed.folder)]).toEqual([[], false]);
  });

  test("a run that lives is left alone; one that is killed leaves nothing", async () => {
    const run = await start("killed-run.ts", 1);
    expect(sweepDeadRuns()).toEqual([]);
    expect(namespacesOf(run.child.pid!)).toHaveLength(hostPlans.length);
    await end(run.child, "SIGKILL");
    await until(
      "the undertaker has removed it",
      () => [...namespacesOf(run.child.pid!), ...(existsSync(run.line) ? [run.line] : [])],
      (left) => left.length === 0,
    );
  });

  test.each(["SIGINT", "SIGTERM"] as const)(
    "the demo, interrupted by %s while it starts, leaves nothing",
    async (signal) => {
      const { child } = await start("../demo/demo.ts", 2); // the first step of the runbook: machines are there
      expect(namespacesOf(child.pid!)).toHaveLength(hostPlans.length);
      expect(await end(child, signal)).toBe(signal === "SIGINT" ? 130 : 143);
      expect(namespacesOf(child.pid!)).toEqual([]);
    },
  );
});
