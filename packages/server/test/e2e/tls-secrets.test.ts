/** Private keys go in by one RPC and come out nowhere: not in an answer, an error, a log line, a metric or a file. */
import { createPrivateKey } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";

import { freePort } from "../data/tcp-peers.ts";
import { issue, rsa } from "../openssl.ts";
import { startTestNode, type TestNode } from "./test-node.ts";
import { until } from "./until.ts";

jest.setTimeout(60_000);

const authority = issue({ subject: "/CN=authority", isAuthority: true });
const site = issue({ subject: "/CN=site", alternativeNames: ["DNS:site.example.test"], key: rsa(2048) });
const client = issue({ subject: "/CN=client", issuer: authority });
const unused = issue({ subject: "/CN=unused" });

let folder: string;
let node: TestNode;
/** Everything that anybody was told. */
let told: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fiberlb-secrets-"));
  told = [];
});
afterEach(async () => {
  await node.stop();
  rmSync(folder, { recursive: true });
});

const start = (flags: Readonly<Record<string, unknown>> = {}) =>
  startTestNode({ "store.kind": "sqlite", "store.path": join(folder, "fiberlb.db"), ...flags });

/** Every form in which a part of a private key could be written. */
function tracesOf(keyPem: string): Buffer[] {
  const lines = keyPem.split("\n").filter((line) => line.length > 40 && !line.startsWith("-----"));
  const { d, p, q } = createPrivateKey(keyPem).export({ format: "jwk" });
  const numbers = [d, p, q].filter((part) => part !== undefined).map((part) => Buffer.from(part, "base64url"));
  return [
    ...lines.map((line) => Buffer.from(line)),
    ...numbers,
    ...numbers.flatMap((bytes) =>
      ["hex", "base64", "base64url"].map((form) => Buffer.from(bytes.toString(form as "hex"))),
    ),
  ];
}

/** What of the secrets is in there; should be nothing. */
const leaksIn = (bytes: Buffer, traces: readonly Buffer[]): string[] =>
  traces.filter((trace) => bytes.includes(trace)).map((trace) => trace.toString("latin1").slice(0, 24));

/** The program's files but for the key file, whose secret must be in no other. */
const filesOf = (): readonly string[] =>
  readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== "fiberlb.key")
    .map(({ name }) => name);

/** Calls an RPC and notes what it answers, also when that is an error. */
async function call(rpc: string, body: object): Promise<Record<string, Record<string, never>>> {
  const response = await fetch(`${node.server.apiUrl}/fiberlb.v1.${rpc}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  told.push(text);
  return JSON.parse(text) as Record<string, Record<string, never>>;
}

async function upload(name: string, fields: object): Promise<string> {
  const { certificate } = await call("CertificateService/CreateCertificate", { name, ...fields });
  return certificate!["id"] as unknown as string;
}

/** Makes a load balancer that uses every kind of certificate in every place, and asks for all of it in every way. */
async function useEverything(): Promise<string> {
  const SERVER = { type: "CERTIFICATE_TYPE_SERVER", certificatePem: site.pem, privateKeyPem: site.keyPem };
  const siteId = await upload("site", SERVER);
  const own = await upload("own", { ...SERVER, certificatePem: client.pem, privateKeyPem: client.keyPem });
  const ca = await upload("ca", { type: "CERTIFICATE_TYPE_CLIENT_CA", certificatePem: authority.pem });
  const { loadBalancer } = await call("LoadBalancerService/CreateLoadBalancer", { name: "web" });
  const loadBalancerId = loadBalancer!["id"] as unknown as string;
  const { pool } = await call("PoolService/CreatePool", {
    loadBalancerId,
    protocol: "POOL_PROTOCOL_HTTPS",
    backendTls: { caCertificateId: ca, clientCertificateId: own },
  });
  const { listener } = await call("ListenerService/CreateListener", {
    loadBalancerId,
    name: "https",
    protocol: "LISTENER_PROTOCOL_HTTPS",
    port: await freePort(loadBalancer!["vipAddress"] as unknown as string),
    certificateIds: [siteId],
    clientAuth: "CLIENT_AUTH_OPTIONAL",
    clientCaCertificateId: ca,
    defaultPoolId: pool!["id"],
  });
  await refuse(SERVER, siteId);
  for (const [rpc, body] of [
    ["CertificateService/ListCertificates", {}],
    ["CertificateService/GetCertificate", { id: siteId }],
    ["CertificateService/UpdateCertificate", { certificate: { id: siteId, name: "new" }, updateMask: "name" }],
    ["ListenerService/GetListener", { id: listener!["id"] }],
    ["ListenerService/ListListeners", { loadBalancerId }],
    ["PoolService/GetPool", { id: pool!["id"] }],
    ["PoolService/ListPools", { loadBalancerId }],
    ["LoadBalancerService/GetLoadBalancerStatus", { id: loadBalancerId }],
  ] as const)
    await call(rpc, body);
  return loadBalancerId;
}

/** Calls that fail with a key in their hands. */
async function refuse(SERVER: object, siteId: string): Promise<void> {
  const { keyPem } = unused;
  const create = "CertificateService/CreateCertificate";
  for (const fields of [
    { privateKeyPem: keyPem },
    { certificatePem: keyPem },
    { certificatePem: site.pem + keyPem },
    { privateKeyPem: [keyPem] },
    { privateKeyPem: keyPem.slice(0, -40) },
    { privateKeyPem: keyPem.replaceAll("PRIVATE", "ENCRYPTED PRIVATE") },
    { name: "site", privateKeyPem: site.keyPem },
    { validateOnly: true, certificatePem: unused.pem, privateKeyPem: keyPem, name: "only a look" },
  ])
    await call(create, { ...SERVER, name: "refused", ...fields });
  await call("CertificateService/DeleteCertificate", { id: siteId });
  const update = { certificate: { id: siteId, privateKeyPem: keyPem }, updateMask: "private_key_pem" };
  await call("CertificateService/UpdateCertificate", update);
}

const traces = [site, client, unused].flatMap(({ keyPem }) => tracesOf(keyPem));

/** Everything that was written so far. */
async function written(): Promise<readonly (readonly [where: string, bytes: Buffer])[]> {
  const metrics = await (await fetch(`${node.server.adminUrl}/metrics`)).text();
  return [
    ["answers", Buffer.from(told.join("\n"))],
    ["log", Buffer.from(JSON.stringify(node.log))],
    ["metrics", Buffer.from(metrics)],
    ...filesOf().map((name) => [name, readFileSync(join(folder, name))] as const),
  ];
}

async function expectNoLeaks(): Promise<void> {
  const all = await written();
  expect(all.map(([where]) => where)).toContain("fiberlb.db");
  for (const [where, bytes] of all) expect({ where, leaks: leaksIn(bytes, traces) }).toEqual({ where, leaks: [] });
}

describe("private keys", () => {
  it("stand in no answer, error, log line, metric or file", async () => {
    node = await start();
    await useEverything();
    // Found if they were there: the certificates themselves are.
    expect(told.join("\n")).toContain(site.pem.split("\n")[1]);
    await expectNoLeaks();
  });

  it("nor does the key that seals them, but for its own file", async () => {
    node = await start();
    await useEverything();
    const text = readFileSync(join(folder, "fiberlb.key"), "utf8").trim();
    const key = Buffer.from(text, "base64");
    const forms = [key, Buffer.from(text), Buffer.from(key.toString("hex"))];
    for (const [where, bytes] of await written())
      expect({ where, leaks: leaksIn(bytes, forms) }).toEqual({ where, leaks: [] });
  });

  it("that cannot be opened are no secret's end either: the listener stays closed, with the reason, and all others serve", async () => {
    node = await start();
    const id = await useEverything();
    await node.stop();
    const keyFile = join(folder, "other.key");
    writeFileSync(keyFile, Buffer.alloc(32, 9).toString("base64"));
    node = await start({ "secrets.keyFile": keyFile });
    const { statusReason } = await until(
      "the load balancer says why its listener is closed",
      async () => (await node.client.loadBalancers.getLoadBalancer({ id })).loadBalancer!,
      (one) => one.statusReason.includes("Cannot open listener web/https"),
    );
    expect(statusReason).toContain("has a private key that cannot be opened: it was sealed with key ");
    await call("LoadBalancerService/GetLoadBalancerStatus", { id });
    await expectNoLeaks();
  });
});
