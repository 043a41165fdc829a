import { once } from "node:events";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { TlsOptions, TLSSocket } from "node:tls";

import { type FiberlbClient, PoolProtocol } from "@fiberlb/api";
import { afterAll, afterEach, beforeAll, beforeEach, expect, jest, test } from "@jest/globals";

import { type Issued, issue } from "../openssl.ts";
import type { Declared } from "./declare.ts";
import { type Answer, HttpClient } from "./http-client.ts";
import { declareHttp } from "./policies.ts";
import { startTestNode, type TestNode } from "./test-node.ts";
import { TlsMaterial, uploadAuthority, uploadServer } from "./tls-material.ts";

jest.setTimeout(60_000);

const NAME = "backend.internal";

let node: TestNode;
let client: FiberlbClient;
let material: TlsMaterial;
let clientCa: Issued;
let caCertificateId: string;
let http: HttpClient;
let servers: Server[];

beforeAll(async () => {
  material = new TlsMaterial();
  clientCa = issue({ subject: "/CN=who may call", isAuthority: true });
  node = await startTestNode();
  ({ client } = node);
  caCertificateId = await uploadAuthority(client, material.authority);
});
afterAll(async () => {
  await node?.stop();
  material.remove();
});
beforeEach(() => {
  http = new HttpClient();
  servers = [];
});
afterEach(async () => {
  http.close();
  for (const server of servers) {
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  }
});

/** A backend that tells who calls it by which name. */
async function startBackend(options: TlsOptions = {}): Promise<number> {
  const { pem: cert, keyPem: key } = material.issue(NAME);
  const server = createServer({ cert, key, ...options }, (request, response) => {
    const socket = request.socket as TLSSocket & { readonly servername?: string };
    // Empty when the caller has shown none.
    const { subject }: { readonly subject?: { readonly CN?: unknown } } = socket.getPeerCertificate();
    response.end(JSON.stringify({ servername: socket.servername, caller: subject?.CN }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  servers.push(server);
  return (server.address() as AddressInfo).port;
}

const declareHttpsPool = (port: number, backendTls: object): Promise<Declared> =>
  declareHttp(client, {
    pool: { protocol: PoolProtocol.HTTPS, backendTls },
    listener: { exposeReasonHeader: true },
    backends: [{ port }],
  });

const reasonOf = ({ status, headers }: Answer) => [status, headers["x-fiberlb-reason"]];

test("a backend of the right authority and name is spoken to, over connections that are kept", async () => {
  let handshakes = 0;
  const port = await startBackend();
  servers[0]!.on("secureConnection", () => (handshakes += 1));
  const lb = await declareHttpsPool(port, { caCertificateId, serverName: NAME });
  for (let i = 0; i < 10; i++) {
    const answer = await http.ask(lb, "/");
    expect(answer).toMatchObject({ status: 200 });
    expect(JSON.parse(answer.text)).toMatchObject({ servername: NAME });
  }
  // At most one for each worker.
  expect(handshakes).toBeLessThanOrEqual(2);
});

test.each<[string, () => Promise<object>]>([
  ["another authority", async () => ({ caCertificateId: await uploadAuthority(client, clientCa), serverName: NAME })],
  ["another name", () => Promise.resolve({ caCertificateId, serverName: "other.internal" })],
  ["no name, so that the address counts", () => Promise.resolve({ caCertificateId })],
  ["the system's authorities", () => Promise.resolve({ serverName: NAME })],
])("with %s: 503 connect-failed", async (_what, backendTls) => {
  const lb = await declareHttpsPool(await startBackend(), await backendTls());
  expect(reasonOf(await http.ask(lb, "/"))).toEqual([503, "connect-failed"]);
});

test("skip_verify takes any certificate", async () => {
  const { pem: cert, keyPem: key } = issue({ subject: "/CN=whoever" });
  const lb = await declareHttpsPool(await startBackend({ cert, key }), { skipVerify: true });
  expect(await http.ask(lb, "/")).toMatchObject({ status: 200 });
});

test("a backend that wants to know its caller is shown the pool's certificate", async () => {
  const port = await startBackend({ requestCert: true, rejectUnauthorized: true, ca: clientCa.pem });
  const caller = issue({ subject: "/CN=fiberlb", issuer: clientCa });
  const clientCertificateId = await uploadServer(client, caller);
  const lb = await declareHttpsPool(port, { caCertificateId, serverName: NAME, clientCertificateId });
  const answer = await http.ask(lb, "/");
  expect(answer).toMatchObject({ status: 200 });
  expect(JSON.parse(answer.text)).toMatchObject({ caller: "fiberlb" });
  const without = await declareHttpsPool(port, { caCertificateId, serverName: NAME });
  expect((await http.ask(without, "/")).status).toBeGreaterThanOrEqual(502);
});

test("a backend that speaks no TLS: 503 connect-failed", async () => {
  const { createServer: createPlain } = await import("node:http");
  const plain = createPlain((_request, response) => void response.end("plain"));
  plain.listen(0, "127.0.0.1");
  await once(plain, "listening");
  servers.push(plain as unknown as Server);
  const lb = await declareHttpsPool((plain.address() as AddressInfo).port, { caCertificateId, serverName: NAME });
  expect(reasonOf(await http.ask(lb, "/"))).toEqual([503, "connect-failed"]);
});
