import { describe, expect, test } from "@jest/globals";

import { HeaderEdits } from "../../../src/data/l7/header-edits.ts";
import {
  hstsLine,
  responseHeadBound,
  type ResponseRewrite,
  writeResponseHead,
} from "../../../src/data/l7/response-headers.ts";
import { lines, raw, responseHead } from "./http1-rig.ts";

const plain: ResponseRewrite = {
  connection: "implied",
  body: "as-is",
  hsts: undefined,
  edits: HeaderEdits.none,
  lines: raw(""),
};

const OK = "HTTP/1.1 200 OK";

/** The head as the client gets it, without the last CR LF. */
function rewritten(text: readonly string[], rewrite: Partial<ResponseRewrite> = {}): string[] {
  const head = responseHead(lines(...text, ""));
  const all = { ...plain, ...rewrite };
  const out = new Uint8Array(responseHeadBound(head, all) + 3);
  const end = writeResponseHead(head, all, out, 3);
  const written = Buffer.from(out.subarray(3, end)).toString("latin1");
  expect(written).toMatch(/\r\n\r\n$/);
  return written.split("\r\n").slice(0, -2);
}

test("a head with nothing to change leaves byte for byte as it came", () => {
  const text = [OK, "Server:  x ", "Set-Cookie: a", "Set-Cookie: b", "Content-Length: 5"];
  expect(rewritten(text)).toEqual(text);
});

test("hop-by-hop headers and those that Connection names end here", () => {
  const text = [
    OK,
    "Connection: keep-alive, X-Hop",
    "Keep-Alive: timeout=5",
    "A: 1",
    "x-hop: 1",
    "Upgrade: h2c",
    "Proxy-Authenticate: x",
  ];
  expect(rewritten(text)).toEqual([OK, "A: 1"]);
});

test.each([
  ["HTTP/1.0 200 OK", "HTTP/1.1 200 OK"],
  ["HTTP/1.1 200", "HTTP/1.1 200 "],
  ["HTTP/1.1 200 ", "HTTP/1.1 200 "],
  ["HTTP/1.0 404", "HTTP/1.1 404 "],
])("the line %j goes out as %j", (line, sent) => {
  expect(rewritten([line, "A: 1"])).toEqual([sent, "A: 1"]);
});

test.each([
  ["implied", []],
  ["close", ["Connection: close"]],
  ["keep-alive", ["Connection: keep-alive"]],
  ["upgrade", ["Connection: upgrade", "Upgrade: websocket"]],
] as const)("connection %s", (connection, added) => {
  expect(rewritten([OK, "Connection: close"], { connection })).toEqual([OK, ...added]);
});

describe("framing", () => {
  test.each(["HTTP/1.1 204 No Content", "HTTP/1.1 103 Early Hints"])("%s has none (RFC 9110 §8.6)", (line) => {
    expect(rewritten([line, "Content-Length: 0", "A: 1"])).toEqual([line, "A: 1"]);
    expect(rewritten([line, "Transfer-Encoding: chunked"], { body: "chunked" })).toEqual([line]);
  });

  test("a body without length goes out chunked, a chunked one without framing to HTTP/1.0", () => {
    expect(rewritten([OK], { body: "chunked" })).toEqual([OK, "Transfer-Encoding: chunked"]);
    expect(rewritten([OK, "Transfer-Encoding: chunked"], { body: "unframed" })).toEqual([OK]);
    expect(rewritten([OK, "Content-Length: 1"], { body: "unframed" })).toEqual([OK, "Content-Length: 1"]);
  });
});

describe("added headers", () => {
  const hsts = hstsLine(31_536_000);
  const HSTS = "Strict-Transport-Security: max-age=31536000";

  test("HSTS replaces a backend's, and makes way for an edit", () => {
    expect(rewritten([OK, "strict-transport-security: max-age=1"], { hsts })).toEqual([OK, HSTS]);
    const edits = new HeaderEdits({ "Strict-Transport-Security": "max-age=2" });
    expect(rewritten([OK], { hsts, edits })).toEqual([OK, "Strict-Transport-Security: max-age=2"]);
  });

  test("edits and further lines", () => {
    const edits = new HeaderEdits({ Server: "", "X-Frame-Options": "DENY" });
    const text = [OK, "Server: x", "Set-Cookie: a"];
    expect(rewritten(text, { edits, lines: raw("Set-Cookie: FIBERLB=1\r\n") })).toEqual([
      OK,
      "Set-Cookie: a",
      "X-Frame-Options: DENY",
      "Set-Cookie: FIBERLB=1",
    ]);
  });

  test("interim responses get none of it", () => {
    const edits = new HeaderEdits({ A: "1", Link: "" });
    const early = ["HTTP/1.1 103 Early Hints", "Link: </a>"];
    expect(rewritten(early, { edits, hsts, connection: "close", lines: raw("B: 1\r\n") })).toEqual(early);
    const upgraded = rewritten(["HTTP/1.1 101 x", "Connection: upgrade", "Upgrade: websocket"], {
      connection: "upgrade",
    });
    expect(upgraded).toEqual(["HTTP/1.1 101 x", "Connection: upgrade", "Upgrade: websocket"]);
  });
});

test("a buffer that might be too small is refused before a byte is written", () => {
  const head = responseHead(lines(OK, ""));
  const out = new Uint8Array(responseHeadBound(head, plain) - 1);
  expect(writeResponseHead(head, plain, out, 0)).toBe(-1);
  expect(out.every((byte) => byte === 0)).toBe(true);
});
