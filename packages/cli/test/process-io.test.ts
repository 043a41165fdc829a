import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, it } from "@jest/globals";

import { processIo, wantsColour } from "../src/process-io.ts";

describe("the real io", () => {
  it("runs programs and says how they ended", async () => {
    const io = processIo();
    expect(await io.spawn(process.execPath, ["-e", "process.exit(7)"]).ended).toEqual({ code: 7, signal: null });
    const program = io.spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
    program.kill("SIGKILL");
    expect(await program.ended).toEqual({ code: null, signal: "SIGKILL" });
    await expect(io.spawn("/nonexistent/program", []).ended).rejects.toThrow("ENOENT");
  });

  it("does not mind that nobody reads what it prints", () => {
    processIo();
    expect(() => process.stdout.emit("error", Object.assign(new Error("closed"), { code: "EPIPE" }))).not.toThrow();
    expect(() => process.stdout.emit("error", new Error("disk full"))).toThrow("disk full");
  });

  it("reads files", async () => {
    const folder = await mkdtemp(join(tmpdir(), "fiberlb-cli-"));
    await writeFile(join(folder, "a.yaml"), "grüße");
    expect(await processIo().readFile(join(folder, "a.yaml"))).toBe("grüße");
    await rm(folder, { recursive: true });
  });

  it("knows its address towards a server", async () => {
    expect(await processIo().addressTowards("http://127.0.0.1:9080")).toBe("127.0.0.1");
  });

  it("listens for stop signals until it is told not to", () => {
    const before = process.listenerCount("SIGTERM");
    const forget = processIo().onStopSignal(() => undefined);
    expect(process.listenerCount("SIGTERM")).toBe(before + 1);
    forget();
    expect(process.listenerCount("SIGTERM")).toBe(before);
  });

  it.each([
    [true, {}, true],
    [false, {}, false],
    [true, { NO_COLOR: "1" }, false],
    [true, { NO_COLOR: "" }, true],
    [true, { TERM: "dumb" }, false],
  ])("on a terminal (%p) with %j colours are %p", (isTty, env, expected) => {
    expect(wantsColour(isTty, env)).toBe(expected);
  });
});
