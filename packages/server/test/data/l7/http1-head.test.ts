import { describe, expect, test } from "@jest/globals";

import { RequestHead } from "../../../src/data/l7/http1-head.ts";
import { HeaderName, Method } from "../../../src/data/l7/http1-names.ts";
import { LIMITS, lines, parseRequest, raw, request, requestHead, seen } from "./http1-rig.ts";

describe("a request's head", () => {
  test("method, target, version and headers are found where they stand", () => {
    const text = lines("POST /a/b?c=d HTTP/1.1", "Host: example.com:8080", "X-Odd:\t two words \t", "Empty:", "");
    expect(seen(parseRequest(text))).toEqual({
      method: "POST",
      target: "/a/b?c=d",
      minorVersion: 1,
      host: "example.com:8080",
      path: "/a/b",
      query: "c=d",
      form: "origin",
      headers: [
        ["Host", "example.com:8080"],
        ["X-Odd", "two words"],
        ["Empty", ""],
      ],
      body: "none",
      contentLength: 0,
      isPersistent: true,
      length: text.length,
    });
  });

  test("bytes behind the head are left alone", () => {
    const head = new RequestHead(LIMITS);
    const first = request("Content-Length: 4");
    const bytes = raw(`${first}body${request()}`);
    expect(head.parse(bytes, 0, bytes.length)).toBe("complete");
    expect(head.end).toBe(first.length);
    head.reset();
    expect(head.parse(bytes, first.length + 4, bytes.length)).toBe("complete");
    expect(head.end).toBe(bytes.length);
  });

  test.each([
    ["GET", Method.GET],
    ["HEAD", Method.HEAD],
    ["POST", Method.POST],
    ["PUT", Method.PUT],
    ["DELETE", Method.DELETE],
    ["OPTIONS", Method.OPTIONS],
    ["TRACE", Method.TRACE],
    ["PATCH", Method.PATCH],
    ["get", Method.OTHER],
    ["PROPFIND", Method.OTHER],
    ["M-SEARCH", Method.OTHER],
    ["M_SEARCH", Method.OTHER],
  ])("the method %s is known by its number or passes as a token", (name, id) => {
    const head = requestHead(lines(`${name} / HTTP/1.1`, "Host: a", ""));
    expect(head.line.method).toBe(id);
  });

  test("known names are found in any case, unknown ones by their bytes", () => {
    const head = requestHead(request("COOKIE: a=1", "x-Forwarded-FOR: 1", "cookie: b=2", "X-Custom: 3"));
    const { fields } = head;
    expect(fields.has(HeaderName.X_FORWARDED_FOR)).toBe(true);
    expect(fields.has(HeaderName.EXPECT)).toBe(false);
    const first = fields.first(HeaderName.COOKIE);
    expect([first, fields.next(HeaderName.COOKIE, first), fields.next(HeaderName.COOKIE, 3)]).toEqual([1, 3, -1]);
    expect([fields.find(head.bytes, raw("x-custom"), -1), fields.find(head.bytes, raw("x-custom"), 4)]).toEqual([
      4, -1,
    ]);
  });

  test("a name that only differs by _ from a known one is a look-alike", () => {
    const { fields } = requestHead(request("Content_Length: 5", "X_Forwarded-For: 1", "my_header: 1"));
    expect([1, 2, 3].map((i) => fields.nameId(i))).toEqual([
      HeaderName.LOOKALIKE,
      HeaderName.LOOKALIKE,
      HeaderName.OTHER,
    ]);
  });

  test("every known name is recognized", () => {
    for (const [name, id] of Object.entries(HeaderName)) {
      if (id === HeaderName.OTHER || id === HeaderName.LOOKALIKE || id === HeaderName.HOST) continue;
      const value = id === HeaderName.CONTENT_LENGTH ? "1" : "chunked";
      const { fields } = requestHead(request(`${name.replaceAll("_", "-")}: ${value}`));
      expect([name, fields.nameId(1)]).toEqual([name, id]);
    }
  });

  test("one empty line before the request is skipped, a second is not", () => {
    expect(seen(parseRequest(`\r\n${request()}`)).method).toBe("GET");
    expect(parseRequest(`\r\n\r\n${request()}`)).toMatchObject({ error: "METHOD" });
  });

  test("a head of more headers than the table first holds", () => {
    const many = Array.from({ length: 127 }, (_, i) => `Header-${i}: value ${i}`);
    const { headers } = seen(parseRequest(request(...many)));
    expect(headers.slice(1)).toEqual(many.map((line) => line.split(": ")));
  });
});

describe("targets (RFC 9112 §3.2)", () => {
  test.each([
    ["GET /", { form: "origin", path: "/", query: "", host: "example.com" }],
    ["GET /?", { form: "origin", path: "/", query: "" }],
    ["GET /a?b?c", { form: "origin", path: "/a", query: "b?c" }],
    ["GET //a", { form: "origin", path: "//a" }],
    ["GET /|^{}\\", { form: "origin", path: "/|^{}\\" }],
    ["GET http://other:81/a?b", { form: "absolute", path: "/a", query: "b", host: "other:81" }],
    ["GET HTTPS://other", { form: "absolute", path: "", query: "", host: "other" }],
    ["GET http://other?b/c", { form: "absolute", path: "", query: "b/c", host: "other" }],
    ["GET http://[::1]:80/", { form: "absolute", path: "/", host: "[::1]:80" }],
    ["OPTIONS *", { form: "asterisk", path: "*", query: "" }],
    ["CONNECT other:443", { form: "authority", path: "", query: "", host: "other:443" }],
  ])("%s", (start, expected) => {
    const text = lines(`${start} HTTP/1.1`, "Host: example.com", "");
    const everywhere = Array.from({ length: text.length }, (_, i) => i + 1);
    expect(seen(parseRequest(text))).toMatchObject(expected);
    expect(parseRequest(text, { cuts: everywhere })).toEqual(parseRequest(text));
  });

  test.each([
    ["GET *", "TARGET_FORM"],
    ["OPTIONS **", "TARGET_FORM"],
    ["GET a", "TARGET_FORM"],
    ["GET http:/a", "TARGET_FORM"],
    ["GET ftp://a/", "TARGET_FORM"],
    ["GET http:///a", "HOST"],
    ["GET http://user@a/", "HOST"],
    ["GET http://a:/", "HOST"],
    ["CONNECT /", "TARGET_FORM"],
    ["CONNECT a", "TARGET_FORM"],
    ["CONNECT http://a:80", "TARGET_FORM"],
    ["GET /#a", "TARGET"],
    ["GET /\x00", "TARGET"],
    ["GET /\x7f", "TARGET"],
    ["GET /\xe4", "TARGET"],
    ["GET /a\tb", "TARGET"],
    ["GET  /", "TARGET"],
  ])("%j is refused", (start, error) => {
    expect(parseRequest(lines(`${start} HTTP/1.1`, "Host: a", ""))).toEqual({ error, status: 400 });
  });
});

describe("Host (RFC 9112 §3.2)", () => {
  test.each(["a", "a.b.", "A-b_c~", "1.2.3.4:80", "[::1]", "[2001:db8::1]:65535", "[::ffff:1.2.3.4]"])("%s", (host) => {
    expect(seen(parseRequest(lines("GET / HTTP/1.1", `Host: ${host}`, ""))).host).toBe(host);
  });

  test.each([
    "",
    "a b",
    "a,b",
    "a/b",
    "a@b",
    "a:b",
    "a:",
    "a:0",
    "a:65536",
    "a:000080",
    ":80",
    "[::1",
    "[]",
    "[::g]",
    "::1",
    "a%41",
    "[::1]a",
    "a?",
    "\xe4",
  ])("%j is refused", (host) => {
    expect(parseRequest(lines("GET / HTTP/1.1", `Host: ${host}`, ""))).toEqual({ error: "HOST", status: 400 });
  });

  test("HTTP/1.0 needs none, HTTP/1.1 does, nobody may send two", () => {
    expect(seen(parseRequest(lines("GET / HTTP/1.0", ""))).host).toBe("");
    expect(parseRequest(lines("GET / HTTP/1.1", ""))).toMatchObject({ error: "HOST_MISSING" });
    expect(parseRequest(request("Host: example.com"))).toMatchObject({ error: "HOST_REPEATED" });
    expect(parseRequest(lines("GET / HTTP/1.0", "Host: a", "host: a", ""))).toMatchObject({ error: "HOST_REPEATED" });
  });

  test("an absolute target rules, but the header must be there and valid", () => {
    const target = "GET http://other/ HTTP/1.1";
    expect(seen(parseRequest(lines(target, "Host: example.com", ""))).host).toBe("other");
    expect(parseRequest(lines(target, ""))).toMatchObject({ error: "HOST_MISSING" });
    expect(parseRequest(lines(target, "Host: a b", ""))).toMatchObject({ error: "HOST" });
  });
});

describe("what the connection is to do", () => {
  test.each([
    ["1.1", [], true],
    ["1.1", ["Connection: close"], false],
    ["1.1", ["Connection: Keep-Alive, CLOSE"], false],
    ["1.1", ["Connection: x", "Connection: ,close ,"], false],
    ["1.0", [], false],
    ["1.0", ["Connection: keep-alive"], true],
    ["1.0", ["Connection: keep-alive, close"], false],
  ])("HTTP/%s with %j persists: %s", (version, headers, isPersistent) => {
    const text = lines(`GET / HTTP/${version}`, "Host: a", ...headers, "");
    expect(seen(parseRequest(text)).isPersistent).toBe(isPersistent);
  });

  test("expectations and trailers are told", () => {
    expect(requestHead(request("Expect: 100-Continue", "Content-Length: 1")).expectsContinue).toBe(true);
    expect(requestHead(lines("GET / HTTP/1.0", "Expect: 100-continue", "")).expectsContinue).toBe(false);
    expect(requestHead(request("TE: gzip, trailers")).acceptsTrailers).toBe(true);
    expect(requestHead(request("TE: gzip")).acceptsTrailers).toBe(false);
  });

  test("only a GET that asks for exactly websocket upgrades", () => {
    const upgrades = (...headers: string[]): boolean => requestHead(request(...headers)).upgradesToWebSocket;
    expect(upgrades("Connection: Upgrade", "Upgrade: WebSocket")).toBe(true);
    expect(upgrades("Upgrade: websocket")).toBe(false);
    expect(upgrades("Connection: upgrade", "Upgrade: h2c")).toBe(false);
    expect(upgrades("Connection: upgrade", "Upgrade: websocket, h2c")).toBe(false);
    expect(upgrades("Connection: upgrade", "Upgrade: websocket", "Upgrade: h2c")).toBe(false);
    expect(upgrades("Connection: upgrade", "Upgrade: websocket", "Content-Length: 1")).toBe(false);
  });
});

describe("limits", () => {
  const limits = { maxUriBytes: 8, maxHeaderBytes: 64, maxHeaderCount: 2 };
  const get = (target: string, ...headers: string[]): string =>
    lines(`GET ${target} HTTP/1.1`, "Host: a", ...headers, "");

  test("a target of maxUriBytes passes, one more is 414, at once", () => {
    expect(seen(parseRequest(get("/2345678"), { limits })).target).toBe("/2345678");
    expect(parseRequest(get("/23456789"), { limits })).toEqual({ error: "TARGET_LENGTH", status: 414 });
    expect(parseRequest("GET /23456789", { limits })).toEqual({ error: "TARGET_LENGTH", status: 414 });
    expect(parseRequest("GET /?345678", { limits })).toBe("incomplete");
  });

  test("a head of maxHeaderBytes passes, one more is 431, at once", () => {
    const fitting = get("/", `X: ${"y".repeat(64 - get("/", "X: ").length)}`);
    expect(fitting).toHaveLength(64);
    expect(seen(parseRequest(fitting, { limits })).length).toBe(64);
    expect(parseRequest(fitting.replace("y", "yy"), { limits })).toEqual({ error: "HEAD_LENGTH", status: 431 });
    expect(parseRequest(fitting.slice(0, 63), { limits })).toBe("incomplete");
    expect(parseRequest(fitting.slice(0, 60).replace("y", "yyyyy"), { limits })).toMatchObject({ status: 431 });
  });

  test("maxHeaderCount headers pass, one more is 431", () => {
    expect(seen(parseRequest(get("/", "A: 1"), { limits })).headers).toHaveLength(2);
    expect(parseRequest(get("/", "A: 1", "B: 2"), { limits })).toEqual({ error: "HEADER_COUNT", status: 431 });
  });

  test("a method longer than any is 501", () => {
    expect(parseRequest(`${"A".repeat(33)} / HTTP/1.1\r\n`)).toEqual({ error: "METHOD_LENGTH", status: 501 });
    expect(parseRequest("A".repeat(33))).toEqual({ error: "METHOD_LENGTH", status: 501 });
    expect(parseRequest("A".repeat(32))).toBe("incomplete");
  });
});
