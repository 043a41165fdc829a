import net from "node:net";
import tls from "node:tls";

import { afterEach, beforeEach, expect, test } from "@jest/globals";

import { probeTlsHello } from "../../../src/health/probes/tls-hello.ts";
import {
  caPem,
  expiredCertificate,
  rawServer,
  serverCertificate,
  Servers,
  startProbe,
  verdictOf,
  wordsOf,
} from "../server-fixture.ts";

let servers: Servers;
beforeEach(() => void (servers = new Servers()));
afterEach(async () => {
  await servers.drained();
  await servers.close();
});

test.each(["TLSv1.2", "TLSv1.3"] as const)("passes when the backend speaks %s", async (version) => {
  const port = await servers.listen(
    tls.createServer({ ...serverCertificate, minVersion: version, maxVersion: version }),
  );
  expect(await verdictOf(probeTlsHello, port)).toBe("passed");
});

test("no certificate is verified, whatever the pool wants", async () => {
  const port = await servers.listen(tls.createServer(expiredCertificate));
  expect(await verdictOf(probeTlsHello, port, { backendTls: { serverName: "other.test" } })).toBe("passed");
});

test.each(["TLSv1.2", "TLSv1.3"] as const)(
  "a backend that wants a client certificate has said hello, %s",
  async (version) => {
    const server = tls.createServer({
      ...serverCertificate,
      ca: caPem,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: version,
      maxVersion: version,
    });
    expect(await verdictOf(probeTlsHello, await servers.listen(server))).toBe("passed");
  },
);

test("asks for the backend's name by SNI", async () => {
  const asked = Promise.withResolvers<string>();
  const server = tls.createServer({
    ...serverCertificate,
    SNICallback: (name, done) => (asked.resolve(name), done(null)),
  });
  const port = await servers.listen(server);
  expect(await verdictOf(probeTlsHello, port, { host: "backend.test" })).toBe("passed");
  expect(await asked.promise).toBe("backend.test");
});

test.each([
  [
    "plain text",
    rawServer("HTTP/1.1 400 Bad Request\r\n\r\n"),
    "TLS: backend does not answer with TLS (wrong version number)",
  ],
  ["an alert", rawServer(Buffer.of(21, 3, 3, 0, 2, 2, 40)), /^TLS: .*alert handshake failure/],
  ["a closed connection", rawServer("", "closes"), "connection closed by 127.0.0.1:PORT before the TLS handshake"],
  ["half a record", rawServer(Buffer.of(22, 3, 3, 0, 99, 2), "closes"), /^(TLS: |connection closed)/],
])("fails on %s", async (_, server, reason) => {
  const port = await servers.listen(server);
  expect(await verdictOf(probeTlsHello, port)).toMatch(reason);
});

test("fails when no hello comes in time", async () => {
  const heard = Promise.withResolvers<void>();
  const port = await servers.listen(net.createServer((socket) => socket.once("data", () => heard.resolve())));
  const { result, clock } = startProbe(probeTlsHello, port);
  await heard.promise;
  clock.jump(2000);
  expect(wordsOf(await result, port)).toBe("no TLS handshake with 127.0.0.1:PORT within 2000 ms");
});
