import fc from "fast-check";

import { raw } from "./http1-rig.ts";

/** Inputs of each fuzz property; `FIBERLB_FUZZ_RUNS=200000` for a long run. */
export const FUZZ_RUNS = Number(process.env["FIBERLB_FUZZ_RUNS"] ?? 4000);

/** Bytes and pieces that parsers trip over. */
const pieces: readonly string[] = [
  ...'\r\n \t\0\x0b\x0c\x7f\x80\xff:;,#?*/\\"_-09aG='.split(""),
  "\r\n",
  "\r\n\r\n",
  "\r\n ",
  "HTTP/1.1",
  "HTTP/1.0",
  "http://b",
  "GET / HTTP/1.1\r\n",
  "Host: b\r\n",
  "Content-Length: 5\r\n",
  "Content-Length: 0\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Transfer-Encoding: gzip, chunked\r\n",
  "Connection: close\r\n",
  "Connection: upgrade\r\nUpgrade: websocket\r\n",
  "Expect: 100-continue\r\n",
  "X: y\r\n",
  "chunked",
  "identity",
  "0\r\n\r\n",
  "5\r\nHello\r\n",
  "5;a=b\r\nHello\r\n",
];

type Mutation = readonly [kind: "insert" | "replace" | "delete" | "repeat", at: number, length: number, piece: string];

const mutation: fc.Arbitrary<Mutation> = fc.tuple(
  fc.constantFrom("insert", "replace", "delete", "repeat"),
  fc.double({ min: 0, max: 1, noNaN: true }),
  fc.integer({ min: 1, max: 12 }),
  fc.constantFrom(...pieces),
);

function mutate(text: string, [kind, where, length, piece]: Mutation): string {
  const at = Math.floor(where * text.length);
  const after = text.slice(at + length);
  switch (kind) {
    case "insert":
      return text.slice(0, at) + piece + text.slice(at);
    case "replace":
      return text.slice(0, at) + piece + text.slice(at + piece.length);
    case "delete":
      return text.slice(0, at) + after;
    case "repeat":
      return text.slice(0, at + length) + text.slice(at, at + length) + after;
  }
}

/** One of the seeds with up to six changes. */
export const mutated = (seeds: readonly string[]): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(fc.constantFrom(...seeds), fc.array(mutation, { maxLength: 6 }))
    .map(([seed, mutations]) => raw(mutations.reduce(mutate, seed)));

const token = fc.string({ unit: fc.constantFrom(..."!#$%&'*+-.^_`|~09azAZ".split("")), minLength: 1, maxLength: 12 });
const visible = Array.from({ length: 94 }, (_, i) => String.fromCharCode(0x21 + i));
const value = fc.string({ unit: fc.constantFrom(...visible, " ", "\t", "\x80", "\xff"), maxLength: 30 });
const targetText = fc.string({ unit: fc.constantFrom(...visible.filter((char) => char !== "#")), maxLength: 30 });
const host = fc.constantFrom("a", "example.com:8080", "[::1]:80", "192.0.2.1");
const blank = fc.constantFrom("", " ", "\t", "  ");

/** Headers that are not read for their meaning. */
const header = fc
  .tuple(fc.oneof(token, fc.constantFrom("Cookie", "X-Forwarded-For", "Accept", "x-request-id")), blank, value, blank)
  .filter(
    ([name]) => !/^(host|content-length|transfer-encoding|connection|upgrade|te)$/i.test(name.replaceAll("_", "-")),
  )
  .map(([name, before, text, after]) => `${name}:${before}${text}${after}\r\n`);

const framed = fc.constantFrom(
  ["", ""],
  ["Content-Length: 0\r\n", ""],
  ["Content-Length: 5\r\n", "Hello"],
  ["Transfer-Encoding: chunked\r\n", "0\r\n\r\n"],
  ["transfer-encoding:CHUNKED \r\n", "5\r\nHello\r\n0\r\nX-Sum: 1\r\n\r\n"],
  ["Transfer-Encoding: chunked\r\n", '5;a="b"\r\nHello\r\n0\r\n\r\n'],
) as fc.Arbitrary<[line: string, body: string]>;

/** Well-formed requests with all that is allowed. */
export const validRequest = (methods: readonly string[]): fc.Arbitrary<string> =>
  fc
    .record({
      method: fc.constantFrom(...methods),
      target: fc.oneof(
        targetText.map((text) => `/${text}`),
        fc.tuple(host, targetText).map(([name, text]) => `http://${name}/${text}`),
      ),
      name: host,
      before: fc.array(header, { maxLength: 40 }),
      after: fc.array(header, { maxLength: 4 }),
      framing: framed,
      connection: fc.constantFrom("", "Connection: close\r\n", "Connection: keep-alive\r\n"),
    })
    .map(
      ({ method, target, name, before, after, framing: [line, body], connection }) =>
        `${method} ${target} HTTP/1.1\r\n${before.join("")}Host: ${name}\r\n${line}${connection}${after.join("")}\r\n${body}`,
    );

/** Well-formed responses. */
export const validResponse: fc.Arbitrary<string> = fc
  .record({
    status: fc.integer({ min: 200, max: 599 }),
    reason: value.map((text) => ` ${text}`),
    headers: fc.array(header, { maxLength: 40 }),
    framing: framed,
  })
  .map(
    ({ status, reason, headers, framing: [line, body] }) =>
      `HTTP/1.1 ${status}${reason}\r\n${headers.join("")}${line}\r\n${status === 204 || status === 304 ? "" : body}`,
  );
