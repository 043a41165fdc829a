import { describe, expect, test } from "@jest/globals";

import { ForwardedClient } from "../../../src/data/l7/forwarded.ts";
import { HeaderEdits } from "../../../src/data/l7/header-edits.ts";
import { requestHeadBound, type RequestRewrite, writeRequestHead } from "../../../src/data/l7/headers.ts";
import { lines, raw, request, requestHead } from "./http1-rig.ts";

const plain: RequestRewrite = {
  forwarded: "PRESERVE",
  client: new ForwardedClient({ address: "192.0.2.7", protocol: "http", port: 8080 }),
  fallbackHost: raw("203.0.113.1:8080"),
  host: undefined,
  prefix: undefined,
  requestId: undefined,
  upgrade: false,
  edits: HeaderEdits.none,
  lines: raw(""),
};

/** The head as a backend gets it, without the last CR LF. */
function rewritten(text: string, rewrite: Partial<RequestRewrite> = {}): string[] {
  const head = requestHead(text);
  const all = { ...plain, ...rewrite };
  const out = new Uint8Array(requestHeadBound(head, all) + 3);
  const end = writeRequestHead(head, all, out, 3);
  const written = Buffer.from(out.subarray(3, end)).toString("latin1");
  expect(written).toMatch(/\r\n\r\n$/);
  return written.split("\r\n").slice(0, -2);
}

const FIRST = ["GET / HTTP/1.1", "Host: example.com"];

describe("what is passed on", () => {
  test("a head with nothing to change leaves byte for byte as it came", () => {
    const text = request("Accept: */*", "X-Odd:   spaced  ", "Cookie: a=b", "Content-Length: 3", "Trailer: X");
    expect(rewritten(text)).toEqual(text.split("\r\n").slice(0, -2));
  });

  test("hop-by-hop headers, those of other proxies and look-alikes end here (RFC 9110 §7.6.1)", () => {
    const text = request(
      "Connection: close, X-Mine , keep-alive",
      "A: 1",
      "Keep-Alive: timeout=5",
      "x-mine: secret",
      "X-Mine-Too: kept",
      "Proxy-Connection: keep-alive",
      "Proxy-Authorization: x",
      "Upgrade: h2c",
      "HTTP2-Settings: AAA",
      "TE: gzip",
      "Content_Length: 7",
      "Transfer-Encoding: chunked",
    );
    expect(rewritten(text)).toEqual([...FIRST, "A: 1", "X-Mine-Too: kept", "Transfer-Encoding: chunked"]);
  });

  test("TE: trailers is said again for our own hop", () => {
    expect(rewritten(request("TE: trailers", "Connection: TE"))).toEqual([...FIRST, "TE: trailers", "Connection: TE"]);
  });

  test("a WebSocket's upgrade passes where it may, no other does", () => {
    const webSocket = request("Connection: keep-alive, Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x");
    const head = [...FIRST, "Sec-WebSocket-Key: x"];
    expect(rewritten(webSocket)).toEqual(head);
    expect(rewritten(webSocket, { upgrade: true })).toEqual([...head, "Connection: upgrade", "Upgrade: websocket"]);
    expect(rewritten(request("Connection: upgrade", "Upgrade: h2c"), { upgrade: true })).toEqual(FIRST);
  });
});

describe("request line and Host", () => {
  test.each([
    ["GET http://other:81/a?b HTTP/1.1", "GET /a?b HTTP/1.1", "Host: other:81"],
    ["GET http://other HTTP/1.1", "GET / HTTP/1.1", "Host: other"],
    ["GET http://other?b HTTP/1.1", "GET /?b HTTP/1.1", "Host: other"],
    ["OPTIONS http://other HTTP/1.1", "OPTIONS * HTTP/1.1", "Host: other"],
    ["OPTIONS * HTTP/1.1", "OPTIONS * HTTP/1.1", "Host: example.com"],
    ["GET /a HTTP/1.0", "GET /a HTTP/1.1", "Host: example.com"],
  ])("%s goes out as %s", (line, sent, host) => {
    expect(rewritten(lines(line, "A: 1", "Host: example.com", "")).toSorted()).toEqual([sent, host, "A: 1"].toSorted());
  });

  test("an HTTP/1.0 request without Host gets the listener's", () => {
    expect(rewritten(lines("GET / HTTP/1.0", "A: 1", ""))).toEqual([
      "GET / HTTP/1.1",
      "Host: 203.0.113.1:8080",
      "A: 1",
    ]);
  });

  test("the host is rewritten, for absolute targets too", () => {
    const expected = ["GET / HTTP/1.1", "Host: internal", "A: 1"];
    const host = raw("internal");
    expect(rewritten(request("A: 1"), { host })).toEqual(expected);
    expect(rewritten(lines("GET http://x/ HTTP/1.1", "Host: y", "A: 1", ""), { host })).toEqual(expected);
  });

  test.each([
    ["/api/users?x=1", 4, "/v1", "/v1/users?x=1"],
    ["/api", 4, "/v1", "/v1"],
    ["/api", 4, "", "/"],
    ["/api?x", 4, "", "/?x"],
    ["/api/users", 4, "", "/users"],
    ["/api/users", 5, "", "/users"],
    ["/api/users", 5, "/", "/users"],
    ["http://a/api/users", 4, "/v2", "/v2/users"],
  ])("the prefix of %s: %i bytes become %j", (target, length, replacement, expected) => {
    const prefix = { length, replacement: raw(replacement) };
    const text = lines(`GET ${target} HTTP/1.1`, "Host: a", "");
    expect(rewritten(text, { prefix })).toEqual([`GET ${expected} HTTP/1.1`, "Host: a"]);
  });
});

describe("X-Forwarded-* and Forwarded", () => {
  const sent = [
    "X-Forwarded-For: 198.51.100.1",
    "x-forwarded-for: 198.51.100.2, 198.51.100.3",
    "X-Forwarded-For:",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Port: 443",
    "X-Forwarded-Host: public",
    "X-Forwarded-Server: edge",
    "Forwarded: for=198.51.100.1",
    "Forwarded: for=198.51.100.2;proto=https",
  ];

  test("APPEND joins the client to what came, in one line each", () => {
    expect(rewritten(request(...sent), { forwarded: "APPEND" })).toEqual([
      ...FIRST,
      "X-Forwarded-Host: public",
      "X-Forwarded-Server: edge",
      "X-Forwarded-For: 198.51.100.1, 198.51.100.2, 198.51.100.3, 192.0.2.7",
      "X-Forwarded-Proto: http",
      "X-Forwarded-Port: 8080",
      'Forwarded: for=198.51.100.1, for=198.51.100.2;proto=https, for=192.0.2.7;proto=http;host="example.com"',
    ]);
  });

  test("APPEND says who the client is when nothing came", () => {
    expect(rewritten(request(), { forwarded: "APPEND" })).toEqual([
      ...FIRST,
      "X-Forwarded-For: 192.0.2.7",
      "X-Forwarded-Proto: http",
      "X-Forwarded-Port: 8080",
    ]);
  });

  test("an IPv6 client is bare in X-Forwarded-For, in brackets and quotes in Forwarded (RFC 7239 §6)", () => {
    const client = new ForwardedClient({ address: "2001:db8::1", protocol: "https", port: 443 });
    const written = rewritten(lines("GET / HTTP/1.0", "Forwarded: for=unknown", ""), { forwarded: "APPEND", client });
    expect(written).toContain("X-Forwarded-For: 2001:db8::1");
    expect(written).toContain('Forwarded: for=unknown, for="[2001:db8::1]";proto=https');
  });

  test("PRESERVE changes and adds nothing", () => {
    expect(rewritten(request(...sent))).toEqual([...FIRST, ...sent]);
    expect(rewritten(request())).toEqual(FIRST);
  });

  test("REMOVE takes every X-Forwarded-* and Forwarded, look-alikes too, and adds nothing", () => {
    const text = request(...sent, "X-Forwarded-Own: 1", "X_Forwarded_For: 1", "X-Forwarder: kept");
    expect(rewritten(text, { forwarded: "REMOVE" })).toEqual([...FIRST, "X-Forwarder: kept"]);
  });

  test("look-alikes never reach a backend, whatever the mode", () => {
    for (const forwarded of ["APPEND", "PRESERVE", "REMOVE"] as const) {
      expect(rewritten(request("X_Forwarded_For: 6.6.6.6"), { forwarded }).join()).not.toContain("6.6.6.6");
    }
  });
});

describe("added headers", () => {
  const requestId = raw("0190-abcd");

  test("X-Request-Id is added only when absent", () => {
    expect(rewritten(request(), { requestId })).toEqual([...FIRST, "X-Request-Id: 0190-abcd"]);
    expect(rewritten(request("x-request-id: mine"), { requestId })).toEqual([...FIRST, "x-request-id: mine"]);
  });

  test("edits set, replace and remove, whatever the case", () => {
    const edits = new HeaderEdits({ "X-Custom": "new", COOKIE: "", "X-Gone": "", "User-Agent": "us" });
    const text = request("x-custom: 1", "cookie: a", "Kept: 1", "X-Custom: 2", "x-gone: 1", "user-agent: them");
    expect(rewritten(text, { edits })).toEqual([...FIRST, "Kept: 1", "X-Custom: new", "User-Agent: us"]);
  });

  test("edits rule over what we would add", () => {
    const edits = new HeaderEdits({ "X-Forwarded-Proto": "https", "X-Request-Id": "", "X-Forwarded-For": "" });
    expect(rewritten(request("X-Forwarded-For: 1"), { edits, requestId, forwarded: "APPEND" })).toEqual([
      ...FIRST,
      "X-Forwarded-Port: 8080",
      "X-Forwarded-Proto: https",
    ]);
  });

  test("further lines come last", () => {
    const written = rewritten(request(), { lines: raw("X-SSL-Client-Verify: NONE\r\n") });
    expect(written).toEqual([...FIRST, "X-SSL-Client-Verify: NONE"]);
  });
});

test("a buffer that might be too small is refused before a byte is written", () => {
  const head = requestHead(request());
  const out = new Uint8Array(requestHeadBound(head, plain) - 1);
  expect(writeRequestHead(head, plain, out, 0)).toBe(-1);
  expect(out.every((byte) => byte === 0)).toBe(true);
});
