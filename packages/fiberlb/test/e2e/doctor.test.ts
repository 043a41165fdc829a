import { once } from "node:events";
import { rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";

import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";

import { newFolder, startNode, writeConfig } from "./node-process.ts";
import { runFiberlb } from "./program.ts";

jest.setTimeout(120_000);

let folder: string;
beforeEach(() => void (folder = newFolder()));
afterEach(() => rmSync(folder, { recursive: true }));

const doctor = (...args: string[]) => runFiberlb(["doctor", ...args]);

interface Report {
  readonly fit: boolean;
  readonly findings: readonly { readonly check: string; readonly state: string; readonly found: string }[];
}

const report = async (config: string): Promise<Report> =>
  JSON.parse((await doctor("--config", config, "-o", "json")).stdout.join("\n")) as Report;

test("says ok or what to do for every check, in a table, and changes nothing", async () => {
  const { code, stdout, stderr } = await doctor("--config", writeConfig(folder, { dataPlane: { l4: "userspace" } }));
  const text = stdout.join("\n");
  expect({ code, stderr }).toEqual({ code: 0, stderr: [] });
  expect(text).toMatch(/^ {2}ok {4}API port +127\.0\.0\.1:0 is free$/mu);
  expect(text).toMatch(/^\d+ ok, \d+ warnings, 0 failed, \d+ skipped$/mu);
});

test("a port that another program has: exit code 1, and how to solve it", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const listen = `127.0.0.1:${(other.address() as AddressInfo).port}`;
  const config = writeConfig(folder, { api: { listen }, dataPlane: { l4: "userspace" } });
  const { code, stdout, stderr } = await doctor("--config", config);
  other.close();
  expect(code).toBe(1);
  expect(stdout.join("\n")).toContain(`${listen} is in use by another program`);
  expect(stderr.join("\n")).toMatch(/^error: this host is not fit for this configuration: .* 1 failed/u);
});

test("beside a node that runs its ports are known to be the node's", async () => {
  const { program, api, adminUrl } = await startNode({ folder });
  const listens = { api: { listen: new URL(api.url).host }, admin: { listen: new URL(adminUrl).host } };
  const { fit, findings } = await report(writeConfig(folder, { ...listens, dataPlane: { l4: "userspace" } }));
  await program.kill();
  expect(fit).toBe(true);
  for (const check of ["API port", "admin port"]) {
    expect(findings.find((finding) => finding.check === check)).toMatchObject({
      state: "ok",
      found: expect.stringContaining("a node runs with this store"),
    });
  }
});
