import http from "node:http";
import https from "node:https";
import net from "node:net";

import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";

import { probeHttp, probeHttps } from "../../../src/health/probes/http.ts";
import type { HttpProbeOptions } from "../../../src/health/probes/probe.ts";
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

const answering =
  (status: number): http.RequestListener =>
  (_, response) =>
    void response.writeHead(status).end("body");

describe("HTTP", () => {
  test.each<[number, HttpProbeOptions, string]>([
    [200, {}, "passed"],
    [204, {}, "HTTP 204, expected 200"],
    [204, { expectedCodes: "200,204" }, "passed"],
    [302, { expectedCodes: "200-299" }, "HTTP 302, expected 200-299"],
    [503, { expectedCodes: "200-299" }, "HTTP 503, expected 200-299"],
    [404, { expectedCodes: "404" }, "passed"],
    [301, { expectedCodes: "200-299,301" }, "passed"],
    [200, { expectedCodes: "2xx" }, 'expected codes: must be status codes such as 200, 200,204 or 200-299, not "2xx"'],
  ])("%d with %j: %s", async (status, options, verdict) => {
    const port = await servers.listen(http.createServer(answering(status)));
    expect(await verdictOf(probeHttp, port, { http: options })).toBe(verdict);
  });

  /** The request as a server sees it. */
  async function requestSeen(
    settings: Parameters<typeof verdictOf>[2],
  ): Promise<http.IncomingMessage & { port: number }> {
    const seen = Promise.withResolvers<http.IncomingMessage>();
    const port = await servers.listen(
      http.createServer((request, response) => (seen.resolve(request), response.end())),
    );
    await verdictOf(probeHttp, port, settings);
    return Object.assign(await seen.promise, { port });
  }

  test("asks GET / of the backend's address, without keep-alive", async () => {
    const { method, url, headers, port } = await requestSeen({});
    expect({ method, url, headers }).toMatchObject({
      method: "GET",
      url: "/",
      headers: { host: `127.0.0.1:${port}`, connection: "close", "user-agent": "FiberLB-health-check" },
    });
  });

  test("asks with the method, path and host it is told", async () => {
    const { method, url, headers } = await requestSeen({ http: { method: "HEAD", path: "/up?x=1", host: "app.test" } });
    expect([method, url, headers.host]).toEqual(["HEAD", "/up?x=1", "app.test"]);
  });

  test("names the backend as the user did", async () => {
    const { headers, port } = await requestSeen({ host: "backend.test" });
    expect(headers.host).toBe(`backend.test:${port}`);
  });

  test("judges the head and waits for no body", async () => {
    const port = await servers.listen(rawServer("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nbegin"));
    expect(await verdictOf(probeHttp, port)).toBe("passed");
  });

  test("an informational answer is not the answer", async () => {
    const port = await servers.listen(rawServer("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 500 Oh\r\n\r\n"));
    expect(await verdictOf(probeHttp, port)).toBe("HTTP 500, expected 200");
  });

  test("a switched protocol is an answer, and its connection is closed", async () => {
    const server = rawServer("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n");
    expect(await verdictOf(probeHttp, await servers.listen(server))).toBe("HTTP 101, expected 200");
  });

  test.each([
    ["garbage", rawServer("SSH-2.0-OpenSSH_9.9\r\n"), /^answer of 127\.0\.0\.1:PORT is not HTTP\/1: /],
    [
      "half a head",
      rawServer("HTTP/1.1 200 OK\r\nContent-", "closes"),
      /^(connection closed|answer of) .*127\.0\.0\.1:PORT/,
    ],
    ["nothing", rawServer("", "closes"), /^connection closed by 127\.0\.0\.1:PORT before the answer$/],
    ["an endless head", rawServer(`HTTP/1.1 200 OK\r\n${"x: y\r\n".repeat(10_000)}`), /is not HTTP\/1: .*overflow/i],
  ])("fails on %s", async (_, server, reason) => {
    const port = await servers.listen(server);
    expect(await verdictOf(probeHttp, port)).toMatch(reason);
  });

  test("fails on a reset", async () => {
    const server = net.createServer((socket) => socket.once("data", () => socket.resetAndDestroy()));
    const port = await servers.listen(server);
    expect(await verdictOf(probeHttp, port)).toBe("connection reset by 127.0.0.1:PORT before the answer");
  });

  test("fails when nothing listens", async () => {
    expect(await verdictOf(probeHttp, 1)).toBe("connection refused by 127.0.0.1:PORT");
  });

  test.each([
    ["nothing", ""],
    ["half a head", "HTTP/1.1 200 OK\r\nContent-"],
  ])("a backend that says %s and hangs has until the timeout", async (_, says) => {
    const said = Promise.withResolvers<void>();
    const server = net.createServer((socket) => socket.once("data", () => socket.write(says, () => said.resolve())));
    const port = await servers.listen(server);
    const { result, clock } = startProbe(probeHttp, port);
    await said.promise;
    await clock.advance(2000);
    expect(wordsOf(await result, port)).toBe("no answer from 127.0.0.1:PORT within 2000 ms");
    expect(clock.pending).toBe(0);
  });

  test("cancelled, it closes its connection", async () => {
    const heard = Promise.withResolvers<void>();
    const port = await servers.listen(http.createServer(() => heard.resolve()));
    const { result, abort } = startProbe(probeHttp, port);
    await heard.promise;
    abort();
    expect(await result).toMatchObject({ passed: false, inconclusive: true });
  });

  test("a path that cannot be sent is a failure, not an exception", async () => {
    expect(await verdictOf(probeHttp, 1, { http: { path: "/a b\r\n" } })).toMatch(/failed: .*unescaped characters/);
  });
});

describe("HTTPS", () => {
  const secure = (tls: https.ServerOptions = serverCertificate): https.Server =>
    https.createServer(tls, answering(200));

  test.each([
    ["without backendTls any certificate will do", undefined, "passed"],
    ["with skipVerify too", { skipVerify: true }, "passed"],
    ["a certificate of a trusted authority for this address", { caPem }, "passed"],
    ["one for the asked name", { caPem, serverName: "backend.test" }, "passed"],
    ["by default the system's authorities are trusted, which don't know the tests' own", {}, /^TLS: unable to/],
    ["one for another name", { caPem, serverName: "other.test" }, /^TLS: Hostname\/IP does not match.*other\.test/],
  ])("%s", async (_, backendTls, verdict) => {
    const port = await servers.listen(secure());
    expect(await verdictOf(probeHttps, port, backendTls === undefined ? {} : { backendTls })).toMatch(verdict);
  });

  test("an expired certificate fails where certificates count", async () => {
    const port = await servers.listen(secure(expiredCertificate));
    expect(await verdictOf(probeHttps, port, { backendTls: { caPem } })).toBe("TLS: certificate has expired");
  });

  test("shows the pool's client certificate", async () => {
    const port = await servers.listen(secure({ ...serverCertificate, ca: caPem, requestCert: true }));
    const { cert: clientCertificatePem, key: clientKeyPem } = serverCertificate;
    expect(await verdictOf(probeHttps, port, { backendTls: { caPem, clientCertificatePem, clientKeyPem } })).toBe(
      "passed",
    );
    expect(await verdictOf(probeHttps, port, { backendTls: { caPem } })).not.toBe("passed");
  });

  test("judges the status like HTTP", async () => {
    const port = await servers.listen(https.createServer(serverCertificate, answering(503)));
    expect(await verdictOf(probeHttps, port)).toBe("HTTP 503, expected 200");
  });

  test("a backend that speaks cleartext fails", async () => {
    const port = await servers.listen(http.createServer(answering(200)));
    expect(await verdictOf(probeHttps, port)).toBe("TLS: backend does not answer with TLS (wrong version number)");
  });

  test("says which step the time ran out in", async () => {
    const heard = Promise.withResolvers<void>();
    const port = await servers.listen(net.createServer((socket) => socket.once("data", () => heard.resolve())));
    const { result, clock } = startProbe(probeHttps, port);
    await heard.promise;
    clock.jump(2000);
    expect(wordsOf(await result, port)).toBe("no TLS handshake with 127.0.0.1:PORT within 2000 ms");
  });

  test("a backend that shakes hands and hangs has until the timeout", async () => {
    const heard = Promise.withResolvers<void>();
    const port = await servers.listen(https.createServer(serverCertificate, () => heard.resolve()));
    const { result, clock } = startProbe(probeHttps, port);
    await heard.promise;
    clock.jump(2000);
    expect(wordsOf(await result, port)).toBe("no answer from 127.0.0.1:PORT within 2000 ms");
  });

  test("a broken certificate in the settings is a failure, not an exception", async () => {
    expect(await verdictOf(probeHttps, 1, { backendTls: { caPem: "x", clientKeyPem: "no key" } })).toMatch(
      /^TLS: |failed: /,
    );
  });
});
