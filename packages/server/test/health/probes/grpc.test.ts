import http2 from "node:http2";
import https from "node:https";
import net from "node:net";
import tls from "node:tls";

import { afterEach, beforeEach, expect, test } from "@jest/globals";

import { probeGrpc } from "../../../src/health/probes/grpc.ts";
import { caPem, rawServer, serverCertificate, Servers, startProbe, verdictOf, wordsOf } from "../server-fixture.ts";

let servers: Servers;
beforeEach(() => void (servers = new Servers()));
afterEach(async () => {
  await servers.drained();
  await servers.close();
});

type OnStream = (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void;

interface GrpcReply {
  readonly body?: readonly number[];
  readonly headers?: http2.OutgoingHttpHeaders;
  readonly trailers?: http2.OutgoingHttpHeaders;
}

/** HealthCheckResponse { status = 1 } in its gRPC frame. */
const serving = [0, 0, 0, 0, 2, 8, 1];
const okTrailers = { "grpc-status": "0" };

const replying =
  ({ body = serving, headers = {}, trailers = okTrailers }: GrpcReply): OnStream =>
  (stream) => {
    stream.respond({ ":status": 200, "content-type": "application/grpc", ...headers }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers(trailers));
    stream.end(Buffer.from(body));
  };

function serve(onStream: OnStream): Promise<number> {
  const server = http2.createServer();
  server.on("stream", (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => {
    stream.on("error", () => {});
    onStream(stream, headers);
  });
  return servers.listen(server);
}

test.each<[string, GrpcReply, string | RegExp]>([
  ["SERVING", {}, "passed"],
  ["SERVING beside fields of the future", { body: [0, 0, 0, 0, 5, 18, 1, 65, 8, 1] }, "passed"],
  ["NOT_SERVING", { body: [0, 0, 0, 0, 2, 8, 2] }, "gRPC health is NOT_SERVING, expected SERVING"],
  ["UNKNOWN, which is 0 and takes no bytes", { body: [0, 0, 0, 0, 0] }, "gRPC health is UNKNOWN, expected SERVING"],
  ["SERVICE_UNKNOWN", { body: [0, 0, 0, 0, 2, 8, 3] }, "gRPC health is SERVICE_UNKNOWN, expected SERVING"],
  ["no message", { body: [] }, "answer is not a grpc.health.v1.HealthCheckResponse"],
  ["a cut message", { body: serving.slice(0, 6) }, "answer is not a grpc.health.v1.HealthCheckResponse"],
  ["a bad message", { body: [0, 0, 0, 0, 1, 8] }, "answer is not a grpc.health.v1.HealthCheckResponse"],
  ["a compressed message", { body: [1, ...serving.slice(1)] }, "answer is not a grpc.health.v1.HealthCheckResponse"],
  ["too much", { body: Array.from({ length: 5000 }, () => 0) }, "answer is longer than 4096 bytes"],
  [
    "an error",
    { body: [], trailers: { "grpc-status": "14", "grpc-message": "warm%20up" } },
    "gRPC UNAVAILABLE: warm up",
  ],
  ["no status", { trailers: {} }, "answer broke off before its grpc-status"],
  ["a web page", { headers: { "content-type": "text/html" } }, 'content type "text/html" instead of application/grpc'],
  ["HTTP 404", { headers: { ":status": 404 } }, "HTTP 404 instead of a gRPC answer"],
])("%s", async (_, reply, verdict) => {
  expect(await verdictOf(probeGrpc, await serve(replying(reply)))).toMatch(verdict);
});

test.each([
  ["12", "gRPC UNIMPLEMENTED: backend has no grpc.health.v1.Health service"],
  ["5", 'gRPC NOT_FOUND: backend\'s health service does not know "shop.Cart"'],
  ["7", "gRPC PERMISSION_DENIED"],
  ["99", "gRPC 99"],
])("status %s without a message, in one head", async (status, reason) => {
  const port = await serve((stream) =>
    stream.respond({ ":status": 200, "content-type": "application/grpc", "grpc-status": status }, { endStream: true }),
  );
  expect(await verdictOf(probeGrpc, port, { grpcService: "shop.Cart" })).toBe(reason);
});

test.each([
  ["", "0000000000"],
  ["shop.Cart", `000000000b0a09${Buffer.from("shop.Cart").toString("hex")}`],
])("asks Health/Check about service %j", async (grpcService, frame) => {
  const seen = Promise.withResolvers<[http2.IncomingHttpHeaders, string]>();
  const port = await serve((stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      seen.resolve([headers, Buffer.concat(chunks).toString("hex")]);
      replying({})(stream, headers);
    });
  });
  expect(await verdictOf(probeGrpc, port, { grpcService })).toBe("passed");
  const [headers, body] = await seen.promise;
  expect(headers).toMatchObject({
    ":method": "POST",
    ":path": "/grpc.health.v1.Health/Check",
    ":authority": `127.0.0.1:${port}`,
    "content-type": "application/grpc",
    "grpc-timeout": "2000m",
    te: "trailers",
  });
  expect(body).toBe(frame);
});

test("an answer is good though the backend closes the connection with it", async () => {
  const port = await serve((stream, headers) => {
    replying({})(stream, headers);
    stream.session?.close();
  });
  expect(await verdictOf(probeGrpc, port)).toBe("passed");
});

test.each([
  ["an HTTP/1 server", rawServer("HTTP/1.1 400 Bad Request\r\n\r\n"), /^answer of 127\.0\.0\.1:PORT is not HTTP\/2: /],
  ["a server that hangs up", rawServer("", "closes"), /^connection closed by 127\.0\.0\.1:PORT before the answer$/],
])("fails on %s", async (_, server, reason) => {
  const port = await servers.listen(server);
  expect(await verdictOf(probeGrpc, port)).toMatch(reason);
});

test("fails on a stream that is reset", async () => {
  const port = await serve((stream) => stream.close(http2.constants.NGHTTP2_REFUSED_STREAM));
  expect(await verdictOf(probeGrpc, port)).toMatch(/REFUSED_STREAM/);
});

test("fails when nothing listens", async () => {
  expect(await verdictOf(probeGrpc, 1)).toBe("connection refused by 127.0.0.1:PORT");
});

test.each([
  ["accepts and hangs", () => net.createServer((socket) => socket.resume())],
  ["speaks HTTP/2 and hangs", () => http2.createServer()],
])("a backend that %s has until the timeout", async (_, create) => {
  const port = await servers.listen(create());
  const { result, clock } = startProbe(probeGrpc, port);
  await servers.accepted;
  await clock.advance(2000);
  expect(wordsOf(await result, port)).toBe("no answer from 127.0.0.1:PORT within 2000 ms");
  expect(clock.pending).toBe(0);
});

test("a status without the end of the answer has until the timeout", async () => {
  const sent = Promise.withResolvers<void>();
  const port = await serve((stream) => {
    stream.respond({ ":status": 200, "content-type": "application/grpc" });
    stream.write(Buffer.from(serving), () => sent.resolve());
  });
  const { result, clock } = startProbe(probeGrpc, port);
  await sent.promise;
  await clock.advance(2000);
  expect(wordsOf(await result, port)).toBe("no answer from 127.0.0.1:PORT within 2000 ms");
});

test("cancelled, it closes its connection", async () => {
  const heard = Promise.withResolvers<void>();
  const { result, abort } = startProbe(probeGrpc, await serve(() => heard.resolve()));
  await heard.promise;
  abort();
  expect(await result).toMatchObject({ passed: false, inconclusive: true });
});

const secure = (): http2.Http2SecureServer => http2.createSecureServer(serverCertificate).on("stream", replying({}));

test.each([
  ["a certificate that the pool trusts", secure, { caPem }, "passed"],
  ["one that it does not", secure, {}, "TLS: unable to verify the first certificate"],
  [
    "a backend that knows nothing of ALPN",
    () => tls.createServer(serverCertificate),
    { caPem },
    "TLS: backend does not offer HTTP/2 (ALPN h2), which gRPC needs",
  ],
  [
    "a backend with HTTP/1 only",
    () => https.createServer(serverCertificate),
    { caPem },
    /^TLS: .*no application protocol/,
  ],
])("over TLS: %s", async (_, create, backendTls, verdict) => {
  expect(await verdictOf(probeGrpc, await servers.listen(create()), { backendTls })).toMatch(verdict);
});
