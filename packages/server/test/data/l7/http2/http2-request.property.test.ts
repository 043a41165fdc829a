import { METHODS } from "node:http";

import { describe, expect, jest, test } from "@jest/globals";
import fc from "fast-check";

import { HpackDecoder } from "../../../../src/data/l7/http2/hpack-decoder.ts";
import { Http2RequestHead } from "../../../../src/data/l7/http2/http2-request.ts";
import { FUZZ_RUNS } from "../http1-fuzz.ts";
import { LIMITS, parseRequest } from "../http1-rig.ts";
import { readWithLlhttp } from "../llhttp.ts";
import { block, type Fields } from "./raw-http2.ts";

jest.setTimeout(60_000 + 5 * FUZZ_RUNS);

// The law: whatever a header block is made into, llhttp reads as exactly one request, with the same method, target and
// fields; and whatever else comes, nothing is made of it. Not the reverse: we refuse more.

const head = new Http2RequestHead();

/** The HTTP/1.1 head that is made of a block; undefined = it is refused. */
function madeOf(bytes: Uint8Array, isEnd: boolean): Buffer | undefined {
  head.begin(LIMITS.maxHeaderBytes + 1);
  if (!new HpackDecoder().decode(bytes, 0, bytes.length, head)) return undefined;
  const made = head.finish(isEnd);
  return made && Buffer.from(made.bytes.subarray(made.start, made.end));
}

const lower = (text: string): string => text.toLowerCase();
const values = (fields: Fields, name: string): string[] => fields.filter(([each]) => each === name).map(([, v]) => v);

/** What the fields say, in the order and framing of HTTP/1.1. */
function expected(fields: Fields, isEnd: boolean): [string, string][] {
  const authority = values(fields, ":authority");
  const cookies = values(fields, "cookie").filter((value) => value !== "");
  const rest = fields.filter(
    ([name]) => !name.startsWith(":") && name !== "cookie" && (name !== "host" || authority.length === 0),
  );
  const isChunked = !isEnd && values(fields, "content-length").length === 0;
  return [
    ...authority.map((value): [string, string] => ["host", value]),
    ...rest.map(([name, value]): [string, string] => [name, value]),
    ...(cookies.length > 0 ? ([["cookie", cookies.join("; ")]] as [string, string][]) : []),
    ...(isChunked ? ([["transfer-encoding", "chunked"]] as [string, string][]) : []),
  ];
}

function compare(fields: Fields, isEnd: boolean): "refused" | "compared" {
  const made = madeOf(block(fields), isEnd);
  if (made === undefined) return "refused";
  const ours = parseRequest(new Uint8Array(made));
  // The parser of HTTP/1 has the last word.
  if (typeof ours === "string" || "error" in ours) return "refused";
  const [method] = values(fields, ":method");
  if (!METHODS.includes(method as string) || method === "CONNECT") return "refused";
  const tail = isEnd || head.contentLength >= 0 ? "x".repeat(Math.max(0, head.contentLength)) : "0\r\n\r\n";
  const { messages, error } = readWithLlhttp("request", Buffer.concat([made, Buffer.from(tail)]));
  expect({ error, complete: messages.map(({ isComplete }) => isComplete) }).toEqual({
    error: undefined,
    complete: [true],
  });
  expect(messages[0]).toMatchObject({ method, url: values(fields, ":path")[0], minorVersion: 1, isPersistent: true });
  expect(messages[0]?.headers).toEqual(expected(fields, isEnd));
  return "compared";
}

const token = fc.stringMatching(/^[a-z][a-z\d_-]{0,11}$/).filter((name) => !RESERVED.has(name));
const RESERVED = new Set(["host", "cookie", "te", "connection", "upgrade", "content-length", "expect"]);
const text = fc.stringMatching(/^[!-~\u0080-\u00ff]([ -~\u0080-\u00ff]{0,20}[!-~\u0080-\u00ff])?$/);
const plain = fc.oneof(
  fc.tuple(token, text),
  fc.tuple(fc.constant("cookie"), fc.stringMatching(/^[a-z]=[\d]{1,3}$/)),
  fc.constant<[string, string]>(["te", "trailers"]),
);
const pseudo = fc
  .tuple(
    fc.constantFrom("GET", "POST", "HEAD", "DELETE", "PATCH"),
    fc.constantFrom("http", "https"),
    fc.stringMatching(/^[a-z]{1,8}(\.[a-z]{1,4})?(:[1-9]\d{0,3})?$/),
    fc.stringMatching(/^\/[!"$-~]{0,20}$/),
  )
  .map(([method, scheme, authority, path]): [string, string][] => [
    [":method", method],
    [":scheme", scheme],
    [":authority", authority],
    [":path", path],
  ]);
const valid = fc
  .tuple(
    pseudo.chain((fields) => fc.shuffledSubarray(fields, { minLength: 4 })),
    fc.array(plain, { maxLength: 8 }),
    fc.option(fc.nat(40)),
  )
  .map(([first, rest, length]): [string, string][] => [
    ...first,
    ...rest,
    ...(length === null ? [] : ([["content-length", String(length)]] as [string, string][])),
  ]);

/** What could make one request two, or another. */
const evil = fc.constantFrom(
  "\r\n",
  "\n",
  "\0",
  " ",
  "\t",
  ":",
  "#",
  "\r\nx: y",
  " HTTP/1.1\r\nHost: b\r\n\r\nGET /",
  "chunked",
  "http://b/",
  "*",
  "",
  "0",
  "-1",
  "1,1",
  "A",
);
const evilName = fc.constantFrom(
  "transfer-encoding",
  "content-length",
  "connection",
  "host",
  "Host",
  "te",
  "upgrade",
  "keep-alive",
  ":path",
  ":method",
  ":protocol",
  "x\r\ny",
  "x:y",
  "x y",
  "",
  "content_length",
  "expect",
  "trailer",
);
const mutated = fc
  .tuple(valid, fc.array(fc.tuple(fc.nat(20), fc.nat(40), fc.nat(4), evil, evilName), { minLength: 1, maxLength: 3 }))
  .map(([fields, edits]) => {
    const changed: [string, string][] = fields.map(([name, value]) => [name, value]);
    for (const [index, at, how, bytes, otherName] of edits) {
      const i = index % (changed.length + 1);
      const [name, value] = changed[i] ?? ["x-new", "1"];
      if (how === 0)
        changed[i] = [name, value.slice(0, at % (value.length + 1)) + bytes + value.slice(at % (value.length + 1))];
      else if (how === 1) changed[i] = [name, bytes];
      else if (how === 2) changed.splice(i, 0, [otherName, bytes]);
      else if (how === 3) changed.splice(i, 0, [otherName, value]);
      else changed.splice(i, 1);
    }
    return changed;
  });

describe("header blocks as requests of HTTP/1.1", () => {
  test("every well-formed one is one request, the same", () => {
    fc.assert(
      fc.property(valid, fc.boolean(), (fields, isEnd) => {
        const length = values(fields, "content-length")[0];
        const isWhole = !isEnd || length === undefined || length === "0";
        expect(compare(fields, isEnd)).toBe(isWhole ? "compared" : "refused");
      }),
      { numRuns: Math.ceil(FUZZ_RUNS / 4) },
    );
  });

  test("whatever passes after any change is one request, the same", () => {
    const outcomes = { refused: 0, compared: 0 };
    fc.assert(
      fc.property(mutated, fc.boolean(), (fields, isEnd) => {
        outcomes[compare(fields, isEnd)]++;
      }),
      { numRuns: FUZZ_RUNS },
    );
    // Else the changes would test nothing.
    expect(Math.min(outcomes.refused, outcomes.compared)).toBeGreaterThan(FUZZ_RUNS / 20);
  });

  test("names are refused in any case but the lower", () => {
    fc.assert(
      fc.property(
        token.filter((name) => /[a-z]/.test(name)),
        fc.nat(20),
        (name, at) => {
          const i = name.split("").findIndex((char, index) => index >= at % name.length && /[a-z]/.test(char));
          if (i < 0) return;
          const upper = name.slice(0, i) + (name[i] as string).toUpperCase() + name.slice(i + 1);
          expect(lower(upper)).toBe(name);
          const fields: Fields = [
            [":method", "GET"],
            [":scheme", "http"],
            [":authority", "a"],
            [":path", "/"],
            [upper, "1"],
          ];
          expect(madeOf(block(fields), true)).toBeUndefined();
        },
      ),
    );
  });

  test("any bytes are decoded or refused, without an error", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, isEnd) => {
        const made = madeOf(bytes, isEnd);
        if (made !== undefined) expect(made.subarray(-4).toString()).toBe("\r\n\r\n");
      }),
      { numRuns: FUZZ_RUNS },
    );
  });
});
