import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";

import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";

import { declare } from "./api.ts";
import { newFolder, startNode, VIP_NETWORK, writeConfig } from "./node-process.ts";
import { runFiberlb } from "./program.ts";

jest.setTimeout(60_000);

let folder: string;
beforeEach(() => {
  folder = newFolder();
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Runs `serve` with the text as its configuration file; it must refuse in one line. */
async function refusal(configFile: string): Promise<{ code: number | null; line: string }> {
  const { code, stdout, stderr } = await runFiberlb(["serve", "--config", configFile]);
  const lines = stderr.filter((line) => !line.startsWith("{"));
  expect(lines).toHaveLength(1);
  expect(stdout).toEqual([]);
  return { code, line: lines[0]! };
}

function configText(text: string): string {
  const file = join(folder, "fiberlb.yaml");
  writeFileSync(file, text);
  return file;
}

test.each([
  ["no YAML", "api: [\n", /fiberlb\.yaml:\d+: /],
  ["a list", "- api\n", /expected a mapping of keys/],
  ["an unknown section", "stor: {}\n", /unknown key "stor"; did you mean "store"\?/],
  ["an unknown key", "dataPlane: { worker: 2 }\n", /unknown key "dataPlane\.worker"; did you mean "workers"\?/],
  ["no address", "api: { listen: nowhere }\n", /api\.listen: "nowhere" is no address to listen on; write host:port/],
  ["an open API", "api: { listen: 0.0.0.0:9080 }\n", /anybody could change anything; listen on 127\.0\.0\.1 or set/],
  ["a future feature", "auth: { kind: jwt }\n", /"jwt" is not in this release; use "none"/],
  [
    "half an etcd store",
    "store: { kind: etcd }\nsecrets: { keyFile: key }\n",
    /store\.endpoints: store\.kind etcd needs the members' URLs/,
  ],
])("a configuration file with %s exits 2 with one line that helps", async (_what, text, message) => {
  const { code, line } = await refusal(configText(text));
  expect(line).toMatch(message);
  expect(code).toBe(2);
});

test("VIP pools that are none: one line, with the place and what it must be", async () => {
  const { code, line } = await refusal(
    writeConfig(folder, { vipPools: [{ name: "public", cidrs: ["203.0.113.0/33"] }] }),
  );
  expect(line).toMatch(/vipPools\.0\.cidrs\[0\] must have a prefix length of 0 to 32, not "33"/);
  expect(code).toBeGreaterThan(0);
});

test("a configuration file that is not there", async () => {
  const { code, line } = await refusal(join(folder, "missing.yaml"));
  expect(line).toMatch(/cannot read the configuration file .*missing\.yaml: there is no such file/);
  expect(code).toBe(2);
});

test.each(["api", "admin"])("a port in use for %s: who may own it, and which key to set", async (section) => {
  const owner = createServer().listen(0, "127.0.0.1");
  await once(owner, "listening");
  const listen = `127.0.0.1:${(owner.address() as AddressInfo).port}`;
  const { code, line } = await refusal(writeConfig(folder, { [section]: { listen } }));
  expect(line).toContain(`port ${listen}: the port is in use`);
  expect(line).toContain(`set ${section}.listen`);
  expect(code).toBe(1);
  owner.close();
});

test("a second node on the same SQLite file is refused, the first one goes on", async () => {
  const first = await startNode({ folder });
  try {
    const { code, line } = await refusal(first.configFile);
    expect(line).toContain(join(folder, "fiberlb.db"));
    expect(line).toMatch(/another process|in use/);
    expect(code).toBe(1);
    await first.api.call("LoadBalancerService/CreateLoadBalancer", { name: "still-here" });
  } finally {
    await first.program.kill();
  }
});

test("a corrupt SQLite file is refused and left as it is", async () => {
  const file = join(folder, "fiberlb.db");
  const garbage = Buffer.alloc(8192, "no database ");
  writeFileSync(file, garbage);
  const { code, line } = await refusal(writeConfig(folder));
  expect(line).toContain(file);
  expect(line).toMatch(/restore/);
  expect(code).toBe(1);
  expect(readFileSync(file).equals(garbage)).toBe(true);
});

test("a key file that is no key", async () => {
  const keyFile = join(folder, "short.key");
  writeFileSync(keyFile, "aGVsbG8=\n");
  const { code, line } = await refusal(writeConfig(folder, { secrets: { keyFile } }));
  expect(line).toMatch(/short\.key: it must hold 32 bytes in base64 \(openssl rand -base64 32\), not 5/);
  expect(code).toBe(1);
});

test("a store path that is a folder", async () => {
  const path = join(folder, "store");
  mkdirSync(path);
  const { code, line } = await refusal(writeConfig(folder, { store: { kind: "sqlite", path } }));
  expect(line).toContain(path);
  expect(code).toBe(1);
});

test("what the API refuses says what, which field and why", async () => {
  const { api, program } = await startNode({ folder });
  try {
    const { port, poolId } = await declare(api, { port: 8080, backends: [] });
    const refused = (rpc: string, body: object) => api.call(rpc, body).catch((error: Error) => error);
    await expect(refused("LoadBalancerService/CreateLoadBalancer", { vipPool: "public" })).resolves.toMatchObject({
      code: "invalid_argument",
      message: expect.stringMatching(/vip_pool must be the name of a VIP pool.*public/),
    });
    await expect(
      refused("LoadBalancerService/CreateLoadBalancer", { vipAddress: "198.51.100.1" }),
    ).resolves.toMatchObject({ code: "invalid_argument", message: expect.stringContaining("198.51.100.1") });
    await expect(
      refused("LoadBalancerService/CreateLoadBalancer", { vipAddress: `${VIP_NETWORK}.1` }),
    ).resolves.toMatchObject({ code: "already_exists", message: `VIP ${VIP_NETWORK}.1 is in use` });
    await expect(
      refused("BackendService/CreateBackend", { poolId, address: "not an address", port }),
    ).resolves.toMatchObject({ code: "invalid_argument", message: expect.stringMatching(/address.*not an address/) });
  } finally {
    await program.kill();
  }
});
