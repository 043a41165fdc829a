import http from "node:http";
import net from "node:net";
import tls from "node:tls";

import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";

import { parseProxyHeader } from "../../../src/data/l4/proxy-protocol.ts";
import { probeHttp, probeHttps } from "../../../src/health/probes/http.ts";
import { probeTcp } from "../../../src/health/probes/tcp.ts";
import { probeTlsHello } from "../../../src/health/probes/tls-hello.ts";
import { serverCertificate, Servers, verdictOf } from "../server-fixture.ts";

let servers: Servers;
beforeEach(() => void (servers = new Servers()));
afterEach(() => servers.close());

/** A server that wants the PROXY protocol first, as `listen … proxy_protocol` of nginx does, and hands the rest on. */
function proxied(inner: net.Server | undefined, seen: Buffer[]): net.Server {
  return net.createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("readable", () => {
      const bytes = (socket.read() as Buffer | null) ?? Buffer.alloc(0);
      const header = parseProxyHeader(bytes);
      if (header.kind !== "header" || header.endpoints !== undefined) return void socket.destroy();
      seen.push(bytes.subarray(0, header.length));
      if (header.length < bytes.length) socket.unshift(bytes.subarray(header.length));
      inner?.emit("connection", socket);
    });
  });
}

const web: http.RequestListener = (_request, response) => void response.end("fine");

describe.each([
  ["V1", "PROXY UNKNOWN\r\n"],
  ["V2", "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"],
] as const)("a check of backends that want version %s", (sendProxyProtocol, header) => {
  test.each([
    ["HTTP", probeHttp, () => http.createServer(web)],
    [
      "HTTPS",
      probeHttps,
      () => tls.createServer(serverCertificate, (socket) => http.createServer(web).emit("connection", socket)),
    ],
    ["TLS_HELLO", probeTlsHello, () => tls.createServer(serverCertificate)],
  ] as const)("by %s begins with a header that is nobody's", async (_type, probe, create) => {
    const seen: Buffer[] = [];
    const port = await servers.listen(proxied(create(), seen));
    expect(await verdictOf(probe, port, { sendProxyProtocol })).toBe("passed");
    expect(seen.map(String)).toEqual([header]);
  });

  test("by HTTP fails without it", async () => {
    const port = await servers.listen(proxied(http.createServer(web), []));
    expect(await verdictOf(probeHttp, port)).not.toBe("passed");
  });

  test("by TCP passes", async () => {
    const port = await servers.listen(proxied(undefined, []));
    expect(await verdictOf(probeTcp, port, { sendProxyProtocol })).toBe("passed");
  });
});
