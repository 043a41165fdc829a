import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";

import { freePort } from "./echo-server.ts";
import { type NodeProcess, startNode, VIP_NETWORK } from "./node-process.ts";
import { type Ended, runFiberlb } from "./program.ts";
import { until } from "./until.ts";

jest.setTimeout(120_000);

const VIP = `${VIP_NETWORK}.9`;
let node: NodeProcess;
let servers: Server[];
let port: number;

beforeEach(async () => {
  node = await startNode();
  servers = await Promise.all(["one", "two"].map((name) => startWebServer(name)));
  port = await freePort(VIP);
  const subject = ["-subj", "/CN=site", "-days", "30"];
  const files = ["-keyout", join(node.folder, "site.key"), "-out", join(node.folder, "site.crt")];
  execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", ...files, ...subject], { stdio: "ignore" });
});
afterEach(async () => {
  await node.program.kill();
  for (const server of servers) server.close().closeAllConnections();
  rmSync(node.folder, { recursive: true });
});

async function startWebServer(name: string): Promise<Server> {
  const server = createServer((request, response) => response.end(`${name} ${request.url}`));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

/** The contract's own example, with ports that are free here. */
const declaration = (algorithm = "MAGLEV"): string => `
loadBalancers:
  - name: web
    vipAddress: ${VIP}
    pools:
      - name: app
        algorithm: ${algorithm}
        backends: [ { address: 127.0.0.1, port: ${portOf(servers[0]!)} }, { address: 127.0.0.1, port: ${portOf(servers[1]!)} } ]
        healthCheck: { type: HTTP, intervalMs: 1000, http: { path: / } }
    listeners:
      - { name: http, protocol: HTTP, port: ${port}, defaultPool: app,
          policies: [ { name: api, action: REDIRECT_TO_POOL, pool: app, rules: [ { type: PATH, compareType: STARTS_WITH, value: /api } ] } ] }
certificates:
  - { name: site, type: SERVER, certificateFile: site.crt, privateKeyFile: site.key }
`;

function writeFile(content: string): string {
  const file = join(node.folder, "web.yaml");
  writeFileSync(file, content);
  return file;
}

const fiberlb = (...args: readonly string[]): Promise<Ended> =>
  runFiberlb([...args, "--server", node.api.url], { cwd: node.folder });

test("the contract's example is applied once, serves, and is what export writes", async () => {
  const file = writeFile(declaration());
  const first = await fiberlb("apply", "-f", file);
  expect(first).toMatchObject({ code: 0, stderr: [] });
  expect(first.stdout.at(-1)).toBe("applied: 9 created, 0 changed, 0 replaced, 0 deleted");
  const answer = async (): Promise<string> => (await fetch(`http://${VIP}:${port}/api`)).text();
  await until("a backend answers", answer, (text) => /^(one|two) \/api$/.test(text));
  expect((await fiberlb("apply", "-f", file)).stdout).toEqual(["no changes"]);

  const exported = await fiberlb("export");
  expect(exported.code).toBe(0);
  expect(exported.stdout.join("\n")).not.toContain("PRIVATE KEY");
  const again = await fiberlb("apply", "-f", writeFile(exported.stdout.join("\n")), "--dry-run", "--exit-code");
  expect(again).toMatchObject({ code: 0, stdout: ["no changes"] });
});

test("a change is planned, told by the exit code of a dry run, and made", async () => {
  await fiberlb("apply", "-f", writeFile(declaration()));
  const file = writeFile(declaration("LEAST_CONNECTIONS"));
  const dry = await fiberlb("apply", "-f", file, "--dry-run", "--exit-code");
  expect(dry.code).toBe(3);
  expect(dry.stdout.join("\n")).toMatch(/~ +pool app\n.*algorithm: MAGLEV → LEAST_CONNECTIONS/);
  expect((await fiberlb("apply", "-f", file)).code).toBe(0);
  expect((await fiberlb("get", "pool", "app", "-o", "json")).stdout.join("")).toContain(
    "POOL_ALGORITHM_LEAST_CONNECTIONS",
  );
});

test("--prune deletes what the file no longer names, and nothing that apply did not make", async () => {
  await fiberlb("apply", "-f", writeFile(declaration()));
  expect((await fiberlb("create", "lb", "--name", "by-hand")).code).toBe(0);
  const pruned = await fiberlb("apply", "-f", writeFile("loadBalancers: []"), "--prune");
  expect(pruned).toMatchObject({ code: 0, stderr: [] });
  const left = (await fiberlb("get", "lb")).stdout.join("\n");
  expect(left).toContain("by-hand");
  expect(left).not.toContain("web");
});
