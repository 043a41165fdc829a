import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";

import type { FiberlbClient } from "@fiberlb/api";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";

import type { Declared } from "./declare.ts";
import { startTestNode, type TestNode } from "./test-node.ts";
import { declareHttps, openTls, TlsMaterial, uploadServer } from "./tls-material.ts";
import { startWebServer, type WebServer } from "./web-server.ts";

jest.setTimeout(60_000);

let node: TestNode;
let client: FiberlbClient;
let web: WebServer;
let material: TlsMaterial;
let certificateIds: string[];

beforeAll(async () => {
  material = new TlsMaterial();
  web = await startWebServer("a");
  node = await startTestNode();
  ({ client } = node);
  certificateIds = [await uploadServer(client, material.issue("one.example"))];
});
afterAll(async () => {
  await node?.stop();
  await web.close();
  material.remove();
});

const declareWeb = (): Promise<Declared> =>
  declareHttps(client, { listener: { certificateIds }, backends: [{ port: web.port }] });

test.each(["TLSv1.2", "TLSv1.3"] as const)(
  "%s: a session goes on with whichever worker, and nowhere else",
  async (version) => {
    const lb = await declareWeb();
    const other = await declareWeb();
    const options = { ca: material.authority.pem, servername: "one.example", maxVersion: version, minVersion: version };
    /** A ticket may come after the handshake (RFC 8446 §4.6.1), so it is waited for. */
    const begin = async (): Promise<Buffer> => {
      const socket = await openTls(lb, options);
      const early = version === "TLSv1.2" ? socket.getSession() : undefined;
      const session = early ?? ((await once(socket, "session")) as [Buffer])[0];
      socket.destroy();
      return session;
    };
    const isReused = async (target: Declared, session: Buffer): Promise<boolean> => {
      const socket = await openTls(target, { ...options, session });
      const reused = socket.isSessionReused();
      socket.destroy();
      return reused;
    };
    const session = await begin();
    // Twenty connections all with the worker that gave the ticket: once in half a million.
    for (let i = 0; i < 20; i++) expect(await isReused(lb, session)).toBe(true);
    expect(await isReused(other, session)).toBe(false);
  },
);

test.each(["-tls1_2", "-tls1_3"])("a session that openssl %s has kept in a file goes on", async (version) => {
  const { host, port } = await declareWeb();
  const file = join(material.folder, `session${version}.pem`);
  const connect = async (...args: readonly string[]): Promise<string> => {
    const to = ["-connect", `${host}:${port}`, "-servername", "one.example", "-CAfile", material.caFile];
    const openssl = spawn("openssl", ["s_client", ...to, version, ...args], { stdio: ["pipe", "pipe", "ignore"] });
    // The ticket has come when the answer has.
    openssl.stdin.end("GET / HTTP/1.1\r\nHost: one.example\r\nConnection: close\r\n\r\n");
    return text(openssl.stdout);
  };
  expect(await connect("-ign_eof", "-sess_out", file)).toMatch(/\nNew, TLSv1\.\d[^]*HTTP\/1\.1 200 OK/);
  expect(await connect("-ign_eof", "-sess_in", file)).toMatch(/\nReused, TLSv1\.\d[^]*HTTP\/1\.1 200 OK/);
});
