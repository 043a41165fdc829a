import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import type { Peer } from "../transport/peer.ts";
import { get, HEAD_END, receives } from "./http-rig.ts";
import type { Http2Backend } from "./http2-backend.ts";
import { ask, Http2UpstreamRig, response } from "./http2-upstream-rig.ts";

let rig: Http2UpstreamRig;
let server: Http2Backend;
let client: Peer;

beforeEach(async () => {
  rig = new Http2UpstreamRig();
  server = await rig.http2Backend();
  client = await rig.client();
});
afterEach(() => rig.close());

const LAST_CHUNK = /\r\n0\r\n\r\n$/;

describe("requests", () => {
  it("leave with pseudo-headers, lower-case names and without what belongs to the connection", async () => {
    const { rawHeaders, stream } = await ask(
      client,
      server,
      get("/path?q=1", "X-Custom: Value\r\nKeep-Alive: 3\r\nCookie: a=1; b=2\r\nConnection: x-hop\r\nX-Hop: 1\r\n"),
    );
    expect(rawHeaders.slice(0, 8)).toEqual([
      ":method",
      "GET",
      ":scheme",
      "http",
      ":path",
      "/path?q=1",
      ":authority",
      "app.example",
    ]);
    const names = rawHeaders.filter((_, i) => i % 2 === 0);
    expect(names.slice(4)).toEqual(["x-custom", "cookie", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-port"]);
    expect(stream.endAfterHeaders).toBe(true);
  });

  it("keep headers that are there several times, in their order", async () => {
    const { rawHeaders } = await ask(
      client,
      server,
      get("/", "X-A: 1\r\nX-B: 2\r\nX-A: 3\r\nUser-Agent: a\r\nUser-Agent: b\r\n"),
    );
    expect(rawHeaders.slice(8, 18)).toEqual(["x-a", "1", "x-b", "2", "x-a", "3", "user-agent", "a", "user-agent", "b"]);
  });

  it("say that they take trailers", async () => {
    const { headers } = await ask(client, server, get("/", "TE: trailers\r\nConnection: TE\r\n"));
    expect(headers["te"]).toBe("trailers");
  });

  it.each(["OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "M-SEARCH /x HTTP/1.1\r\nHost: a\r\n\r\n"])("%j", async (text) => {
    const [method, path] = text.split(" ");
    const { headers } = await ask(client, server, text);
    expect([headers[":method"], headers[":path"]]).toEqual([method, path]);
  });

  it("without a host go to the listener's own", async () => {
    const { headers } = await ask(client, server, "GET / HTTP/1.0\r\n\r\n");
    expect(headers[":authority"]).toBe("192.0.2.80");
  });

  it("with a length keep it, with chunks lose them", async () => {
    const sized = await ask(client, server, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    expect(sized.headers["content-length"]).toBe("5");
    expect((await sized.body()).toString()).toBe("hello");
    sized.respond({ "content-length": 0 }, "");
    await response(client, HEAD_END);
    const chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
    const seen = await ask(client, server, chunked);
    expect(seen.headers["transfer-encoding"]).toBeUndefined();
    expect((await seen.body()).toString()).toBe("hello");
    expect(seen.trailers).toBeUndefined();
  });

  it("lose their trailers", async () => {
    const head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    const seen = await ask(client, server, `${head}2\r\nhi\r\n0\r\nX-Sum: 1\r\n`);
    await client.send("X-Sum: 2\r\nX-Other: 3\r\n\r\n");
    expect((await seen.body()).toString()).toBe("hi");
    expect(seen.trailers).toBeUndefined();
  });

  it("with `Expect` are continued by the backend", async () => {
    const seen = await ask(
      client,
      server,
      "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
    );
    expect(seen.headers.expect).toBe("100-continue");
    seen.stream.additionalHeaders({ ":status": 100 });
    expect(await response(client, HEAD_END)).toBe("HTTP/1.1 100 Continue\r\n\r\n");
    await client.send("hi");
    expect((await seen.body()).toString()).toBe("hi");
  });

  it("for a WebSocket lose the upgrade, which HTTP/2 does not have", async () => {
    const seen = await ask(client, server, get("/", "Connection: upgrade\r\nUpgrade: websocket\r\n"));
    expect(seen.headers.upgrade).toBeUndefined();
    seen.respond({ ":status": 426, "content-length": 0 }, "");
    expect(await response(client, HEAD_END)).toMatch(/^HTTP\/1.1 426 /);
  });

  it("may have heads of many kilobytes", async () => {
    const value = "v".repeat(60_000);
    const seen = await ask(client, server, get("/", `X-Large: ${value}\r\n`));
    expect(seen.headers["x-large"]).toBe(value);
  });
});

describe("responses", () => {
  it("with a length keep it", async () => {
    const seen = await ask(client, server, get());
    seen.respond({ "content-length": 5, "set-cookie": ["a=1", "b=2"], "x-latin": "\u00e9" }, "hello");
    expect(await response(client, /hello$/)).toBe(
      "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nset-cookie: a=1\r\nset-cookie: b=2\r\nx-latin: \u00e9\r\n\r\nhello",
    );
  });

  it("without a length get chunks, in one write with their head", async () => {
    const seen = await ask(client, server, get());
    seen.respond({}, "hello");
    expect(await response(client, LAST_CHUNK)).toMatch(/transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n$/);
  });

  it("without a length end with the connection for HTTP/1.0", async () => {
    const seen = await ask(client, server, "GET / HTTP/1.0\r\n\r\n");
    seen.respond({}, "hello");
    expect(await receives(client, /hello$/)).toMatch(/^HTTP\/1.1 200 OK\r\nConnection: close\r\n\r\nhello$/);
    await client.end();
  });

  it("bring trailers as those of the last chunk", async () => {
    const seen = await ask(client, server, get("/", "TE: trailers\r\nConnection: TE\r\n"));
    seen.respondWithTrailers("hi", { "grpc-status": "0", "grpc-message": "" });
    expect(await response(client, /\r\n\r\n$/)).toMatch(/2\r\nhi\r\n0\r\ngrpc-status: 0\r\ngrpc-message: \r\n\r\n$/);
  });

  it("that announce trailers bring them although they have a length", async () => {
    const seen = await ask(client, server, get());
    seen.respondWithTrailers("hi", { "x-sum": "1" }, { trailer: "x-sum", "content-length": 2 });
    expect(await response(client, /2\r\nhi\r\n0\r\nx-sum: 1\r\n\r\n$/)).not.toContain("content-length");
  });

  it("that are trailers only (gRPC) have no content", async () => {
    const seen = await ask(client, server, get());
    seen.stream.respond({ ":status": 200, "grpc-status": "5" }, { endStream: true });
    expect(await response(client, HEAD_END)).toMatch(/grpc-status: 5\r\n[^]*content-length: 0\r\n\r\n$/);
  });

  it.each([204, 304])("%i has no content and no framing", async (status) => {
    const seen = await ask(client, server, get());
    seen.stream.respond({ ":status": status, etag: "x" }, { endStream: true, sendDate: false } as never);
    expect(await response(client, HEAD_END)).toMatch(/^HTTP\/1.1 \d+ [\w ]+\r\netag: x\r\n(date: .*\r\n)?\r\n$/);
    (await ask(client, server, get("/next"))).respond({ "content-length": 2 }, "ok");
    await response(client, /ok$/);
  });

  it("to HEAD keep their length and have no content", async () => {
    const seen = await ask(client, server, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    seen.stream.respond({ ":status": 200, "content-length": 1000 }, { endStream: true });
    expect(await response(client, HEAD_END)).toContain("content-length: 1000\r\n");
    (await ask(client, server, get("/next"))).respond({ "content-length": 2 }, "ok");
    expect(await response(client, /ok$/)).toMatch(/^HTTP/);
  });

  it("may be preceded by interim responses", async () => {
    const seen = await ask(client, server, get());
    seen.stream.additionalHeaders({ ":status": 103, link: "</a.css>" });
    expect(await response(client, HEAD_END)).toBe("HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n");
    seen.stream.additionalHeaders({ ":status": 102 });
    seen.respond({ "content-length": 2 }, "ok");
    expect(await response(client, /ok$/)).toMatch(/^HTTP\/1.1 102 Processing\r\n\r\nHTTP\/1.1 200 OK\r\n/);
  });

  it("may have heads of many kilobytes", async () => {
    const value = "v".repeat(50_000);
    (await ask(client, server, get())).respond({ "x-large": value, "content-length": 2 }, "ok");
    expect(await response(client, /ok$/)).toContain(`x-large: ${value}\r\n`);
  });

  it("may come before the request is complete", async () => {
    const seen = await ask(client, server, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nhalf");
    seen.respond({ ":status": 413, "content-length": 3 }, "big");
    expect(await receives(client, /big$/)).toMatch(/^HTTP\/1.1 413 [^]*\r\nConnection: close\r\n/);
    await client.end();
    await seen.closed;
    expect(server.openSessions).toBe(1);
  });
});

it("pipelined requests are answered in order, on one connection to the backend", async () => {
  await client.send(get("/1") + get("/2") + get("/3"));
  for (const path of ["/1", "/2", "/3"]) {
    const seen = await server.next();
    expect(seen.headers[":path"]).toBe(path);
    seen.respond({ "content-length": 2 }, path);
  }
  expect((await receives(client, /\/3$/)).match(/HTTP\/1.1 200/g)).toHaveLength(3);
  expect(server.sessions).toHaveLength(1);
});
