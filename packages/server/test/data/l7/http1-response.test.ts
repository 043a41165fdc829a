import { describe, expect, test } from "@jest/globals";

import { Method } from "../../../src/data/l7/http1-names.ts";
import { lines, parseResponse, responseHead, seen } from "./http1-rig.ts";

describe("a response's head", () => {
  test("status, reason and headers are found where they stand", () => {
    const text = lines("HTTP/1.1 404 Not Found", "Content-Length: 12", "Server: x", "");
    expect(seen(parseResponse(`${text}Hello, world`))).toEqual({
      status: 404,
      reason: "Not Found",
      minorVersion: 1,
      headers: [
        ["Content-Length", "12"],
        ["Server", "x"],
      ],
      body: "length",
      contentLength: 12,
      length: text.length,
    });
  });

  test.each([
    ["HTTP/1.1 200 ", ""],
    ["HTTP/1.1 200", ""],
    ["HTTP/1.0 999 Request\tdenied \xe4", "Request\tdenied \xe4"],
  ])("%j", (line, reason) => {
    expect(seen(parseResponse(lines(line, ""))).reason).toBe(reason);
  });

  test("limits", () => {
    const limits = { maxUriBytes: 1, maxHeaderBytes: 40, maxHeaderCount: 1 };
    expect(parseResponse(lines("HTTP/1.1 200 OK", "A: b", "C: d", ""), { limits })).toMatchObject({
      error: "HEADER_COUNT",
    });
    expect(parseResponse(`HTTP/1.1 200 ${"x".repeat(40)}`, { limits })).toMatchObject({ error: "HEAD_LENGTH" });
  });
});

describe("where a response ends (RFC 9112 §6.3)", () => {
  const LENGTH = "Content-Length: 5";
  const CHUNKED = "Transfer-Encoding: chunked";
  test.each([
    [200, [LENGTH], Method.GET, "length"],
    [200, [CHUNKED], Method.GET, "chunked"],
    [200, [], Method.GET, "close"],
    [200, [LENGTH], Method.HEAD, "none"],
    [200, [CHUNKED], Method.HEAD, "none"],
    [200, [], Method.HEAD, "none"],
    [204, [LENGTH], Method.GET, "none"],
    [304, [LENGTH], Method.GET, "none"],
    [304, [], Method.GET, "none"],
    [100, [], Method.POST, "none"],
    [103, [LENGTH], Method.GET, "none"],
    [101, [], Method.GET, "tunnel"],
    [200, [LENGTH], Method.CONNECT, "tunnel"],
    [403, [LENGTH], Method.CONNECT, "length"],
  ] as const)("%i with %j to method %i: %s", (status, headers, method, body) => {
    const head = responseHead(lines(`HTTP/1.1 ${status} x`, ...headers, ""));
    expect(head.bodyFor(method)).toBe(body);
  });

  test.each([
    ["HTTP/1.1 200 x", [LENGTH], true],
    ["HTTP/1.1 200 x", [LENGTH, "Connection: close"], false],
    ["HTTP/1.0 200 x", [LENGTH], false],
    ["HTTP/1.0 200 x", [LENGTH, "Connection: keep-alive"], true],
    ["HTTP/1.1 200 x", [], false],
    ["HTTP/1.1 101 x", [], false],
  ])("%s with %j persists: %s", (line, headers, isPersistent) => {
    expect(responseHead(lines(line, ...headers, "")).isPersistentFor(Method.GET)).toBe(isPersistent);
  });
});
