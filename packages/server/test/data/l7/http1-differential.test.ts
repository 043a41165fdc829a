import { METHODS } from "node:http";

import { describe, expect, jest, test } from "@jest/globals";
import fc from "fast-check";

import { ForwardedClient } from "../../../src/data/l7/forwarded.ts";
import { HeaderEdits } from "../../../src/data/l7/header-edits.ts";
import { requestHeadBound, writeRequestHead } from "../../../src/data/l7/headers.ts";
import { BodyScan } from "../../../src/data/l7/http1-body.ts";
import { latin1Text } from "../../../src/data/l7/http1-bytes.ts";
import { RequestHead, ResponseHead } from "../../../src/data/l7/http1-head.ts";
import { Method } from "../../../src/data/l7/http1-names.ts";
import type { ByteRanges } from "../../../src/data/l7/http1-ranges.ts";
import { FUZZ_RUNS, mutated, validRequest, validResponse } from "./http1-fuzz.ts";
import { LIMITS, lines, parseRequest, parseResponse, raw, request, seeRequest, seeResponse } from "./http1-rig.ts";
import { type LlhttpMessage, readWithLlhttp } from "./llhttp.ts";

// Thousands of runs on a busy machine take longer than jest's five seconds; a long run takes minutes.
jest.setTimeout(60_000 + 5 * FUZZ_RUNS);

// The law: whatever we forward, llhttp reads as exactly the same one message. Not the reverse: we refuse more.

const bytesOf = (bytes: Uint8Array, ranges: ByteRanges): string =>
  Array.from({ length: ranges.count }, (_, i) => latin1Text(bytes, ranges.start(i), ranges.end(i))).join("");

/** The only message in exactly these bytes; with one byte less there is no whole one. */
function onlyMessage(kind: "request" | "response", bytes: Uint8Array): LlhttpMessage {
  const { messages, error } = readWithLlhttp(kind, bytes);
  expect({ error, complete: messages.map(({ isComplete }) => isComplete) }).toEqual({
    error: undefined,
    complete: [true],
  });
  const shorter = readWithLlhttp(kind, bytes.subarray(0, -1));
  expect(shorter.messages.some(({ isComplete }) => isComplete)).toBe(false);
  return messages[0] as LlhttpMessage;
}

/** llhttp knows a list of methods; any token passes here. */
const isMethodOfLlhttp = (method: string): boolean => METHODS.includes(method);

const rewrite = {
  forwarded: "APPEND",
  client: new ForwardedClient({ address: "192.0.2.7", protocol: "http", port: 80 }),
  fallbackHost: raw("fallback"),
  host: undefined,
  prefix: undefined,
  requestId: raw("id"),
  upgrade: false,
  edits: HeaderEdits.none,
  lines: raw(""),
} as const;

function forwardedHead(head: RequestHead): string {
  const out = new Uint8Array(requestHeadBound(head, rewrite));
  return latin1Text(out, 0, writeRequestHead(head, rewrite, out, 0));
}

/** Our reading of the first request in the bytes, if we forward it, compared with llhttp's. */
function compareRequest(bytes: Uint8Array): "refused" | "compared" {
  const head = new RequestHead(LIMITS);
  if (head.parse(bytes, 0, bytes.length) !== "complete" || head.line.method === Method.CONNECT) return "refused";
  const body = new BodyScan();
  if (body.begin(head.body, head.framing.contentLength) === "incomplete") body.read(bytes, head.end, bytes.length);
  else body.read(bytes, head.end, head.end);
  if (body.state !== "done") return "refused";
  const seen = seeRequest(head, 0);
  if (!isMethodOfLlhttp(seen.method)) return "refused";

  const message = onlyMessage("request", bytes.subarray(0, body.end));
  expect(message).toMatchObject({ method: seen.method, url: seen.target, minorVersion: seen.minorVersion });
  expect(message.headers).toEqual(seen.headers);
  expect(message.body).toBe(bytesOf(bytes, body.payload));
  expect(message.isPersistent || message.upgrade).toBe(seen.isPersistent || message.upgrade);

  const sent = onlyMessage("request", raw(forwardedHead(head) + bytesOf(bytes, body.forward)));
  const path = seen.path === "" && seen.method === "OPTIONS" && seen.query === "" ? "*" : seen.path || "/";
  const target = seen.target.includes("?") ? `${seen.path || "/"}?${seen.query}` : path;
  expect(sent).toMatchObject({ method: seen.method, url: target, minorVersion: 1, body: message.body, upgrade: false });
  expect(sent.headers.filter(([name]) => name.toLowerCase() === "host").map(([, value]) => value)).toEqual([
    seen.host === "" ? "fallback" : seen.host,
  ]);
  expect(sent.trailers).toEqual(message.trailers);
  return "compared";
}

function compareResponse(bytes: Uint8Array): "refused" | "compared" {
  const head = new ResponseHead(LIMITS);
  if (head.parse(bytes, 0, bytes.length) !== "complete") return "refused";
  const kind = head.bodyFor(Method.GET);
  // Up to the connection's end and tunnels: there is no end to compare.
  if (kind === "close" || kind === "tunnel") return "refused";
  const body = new BodyScan();
  body.begin(kind, head.framing.contentLength);
  body.read(bytes, head.end, bytes.length);
  if (body.state !== "done") return "refused";
  const seen = seeResponse(head, 0);
  const message = onlyMessage("response", bytes.subarray(0, body.end));
  expect(message).toMatchObject({ status: seen.status, minorVersion: seen.minorVersion });
  expect(message.reason.trimEnd()).toBe(seen.reason.trimEnd());
  expect(message.headers).toEqual(seen.headers);
  expect(message.body).toBe(bytesOf(bytes, body.payload));
  return "compared";
}

const requestSeeds: readonly string[] = [
  request(),
  request("Content-Length: 5") + "Hello",
  request("Transfer-Encoding: chunked") + "5\r\nHello\r\n0\r\nX-Sum: 1\r\n\r\n",
  lines("GET http://b:80/a?b HTTP/1.1", "Host: a", "Connection: close", ""),
  lines("GET / HTTP/1.0", "Connection: keep-alive", ""),
  lines("OPTIONS * HTTP/1.1", "Host: a", ""),
  `\r\n${request("X: y", "Cookie: a=b; c=d")}`,
  request("Content-Length: 6", "Transfer-Encoding: chunked") + "0\r\n\r\nG",
  request("Connection: upgrade", "Upgrade: websocket"),
];
const responseSeeds: readonly string[] = [
  lines("HTTP/1.1 200 OK", "Content-Length: 5", "") + "Hello",
  lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "") + "5\r\nHello\r\n0\r\n\r\n",
  lines("HTTP/1.1 204 No Content", "Server: x", ""),
  lines("HTTP/1.1 304 Not Modified", "Content-Length: 5", ""),
  lines("HTTP/1.0 404 Not Found", "Content-Length: 0", ""),
];

describe("against llhttp, node's own parser", () => {
  const methods = METHODS.filter((method) => method !== "CONNECT");

  test("every well-formed request is read the same", () => {
    fc.assert(
      fc.property(validRequest(methods), (text) => {
        expect(compareRequest(raw(text))).toBe("compared");
      }),
      { numRuns: Math.ceil(FUZZ_RUNS / 10) },
    );
  });

  test("every well-formed response is read the same", () => {
    fc.assert(
      fc.property(validResponse, (text) => {
        const isFramed = /content-length|transfer-encoding/i.test(text) || /^HTTP\/1.1 [23]04/.test(text);
        expect(compareResponse(raw(text))).toBe(isFramed ? "compared" : "refused");
      }),
      { numRuns: Math.ceil(FUZZ_RUNS / 10) },
    );
  });

  test("whatever request we forward after any mutation is read the same", () => {
    const outcomes = { refused: 0, compared: 0 };
    fc.assert(
      fc.property(mutated(requestSeeds), (bytes) => {
        outcomes[compareRequest(bytes)]++;
      }),
      { numRuns: FUZZ_RUNS },
    );
    // Else the mutations would test nothing.
    expect(Math.min(outcomes.refused, outcomes.compared)).toBeGreaterThan(FUZZ_RUNS / 20);
  });

  test("whatever response we forward after any mutation is read the same", () => {
    const outcomes = { refused: 0, compared: 0 };
    fc.assert(
      fc.property(mutated(responseSeeds), (bytes) => {
        outcomes[compareResponse(bytes)]++;
      }),
      { numRuns: FUZZ_RUNS },
    );
    expect(Math.min(outcomes.refused, outcomes.compared)).toBeGreaterThan(FUZZ_RUNS / 20);
  });
});

describe("splits", () => {
  const cuts = fc.array(fc.nat(1500), { maxLength: 30 });

  test("a well-formed head is the same in one piece and in any", () => {
    fc.assert(
      fc.property(validRequest(METHODS.filter((method) => method !== "CONNECT")), cuts, (text, at) => {
        expect(parseRequest(text, { cuts: at })).toEqual(parseRequest(text));
      }),
    );
  });

  test("any mutation is the same in one piece and in any, with the same error", () => {
    const limits = { maxUriBytes: 20, maxHeaderBytes: 90, maxHeaderCount: 4 };
    fc.assert(
      fc.property(mutated(requestSeeds), cuts, fc.constantFrom(LIMITS, limits), (bytes, at, within) => {
        expect(parseRequest(bytes, { cuts: at, limits: within })).toEqual(parseRequest(bytes, { limits: within }));
      }),
      { numRuns: Math.ceil(FUZZ_RUNS / 2) },
    );
  });

  test("so are responses", () => {
    fc.assert(
      fc.property(fc.oneof(validResponse.map(raw), mutated(responseSeeds)), cuts, (bytes, at) => {
        expect(parseResponse(bytes, { cuts: at })).toEqual(parseResponse(bytes));
        const everywhere = Array.from({ length: Math.min(bytes.length, 60) }, (_, i) => i + 1);
        expect(parseResponse(bytes, { cuts: everywhere })).toEqual(parseResponse(bytes));
      }),
      { numRuns: Math.ceil(FUZZ_RUNS / 4) },
    );
  });
});
