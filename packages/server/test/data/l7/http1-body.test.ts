import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import { BodyScan, type ChunkLimits, DEFAULT_CHUNK_LIMITS } from "../../../src/data/l7/http1-body.ts";
import { LAST_CHUNK, MAX_CHUNK_SIZE_BYTES, writeChunkSize } from "../../../src/data/l7/http1-chunk-writer.ts";
import type { BodyKind } from "../../../src/data/l7/http1-framing.ts";
import type { ByteRanges } from "../../../src/data/l7/http1-ranges.ts";
import { raw } from "./http1-rig.ts";

interface Scanned {
  readonly state: string;
  readonly error: string | undefined;
  /** Bytes that belong to the body. */
  readonly length: number;
  readonly forward: string;
  readonly payload: string;
  readonly payloadBytes: number;
}

interface Body {
  readonly kind?: BodyKind;
  readonly contentLength?: number;
  readonly limits?: ChunkLimits;
  readonly cuts?: readonly number[];
}

/** Reads the text in pieces, each a view of its own. */
function scan(text: string, { kind = "chunked", contentLength = 0, limits, cuts = [] }: Body = {}): Scanned {
  const body = new BodyScan(limits ?? DEFAULT_CHUNK_LIMITS);
  body.begin(kind, contentLength);
  const bytes = raw(text);
  const pick = (view: Uint8Array, ranges: ByteRanges): string =>
    Array.from({ length: ranges.count }, (_, i) => Buffer.from(view.subarray(ranges.start(i), ranges.end(i)))).join("");
  let [forward, payload, length, from] = ["", "", 0, 0];
  for (const end of [...cuts.filter((cut) => cut < bytes.length).toSorted((a, b) => a - b), bytes.length]) {
    const view = new Uint8Array([0x41, ...bytes.subarray(from, end), 0x41]);
    body.read(view, 1, view.length - 1);
    if (body.state === "failed") break;
    forward += pick(view, body.forward);
    payload += pick(view, body.payload);
    length += body.end - 1;
    from = end;
    if (body.state === "done") break;
  }
  return { state: body.state, error: body.error?.code, length, forward, payload, payloadBytes: body.payloadBytes };
}

describe("bodies other than chunked", () => {
  test("a length ends after so many bytes, whatever follows", () => {
    const scanned = scan("HelloGET /", { kind: "length", contentLength: 5, cuts: [2] });
    expect(scanned).toMatchObject({ state: "done", length: 5, forward: "Hello", payload: "Hello", payloadBytes: 5 });
  });

  test("no body and a length of 0 are done at once", () => {
    expect(scan("GET /", { kind: "none" })).toMatchObject({ state: "done", length: 0, forward: "" });
    expect(scan("GET /", { kind: "length" })).toMatchObject({ state: "done", length: 0, forward: "" });
  });

  test("only what ends with the connection is whole when it ends", () => {
    const finished = (kind: BodyKind, contentLength = 0): string => {
      const body = new BodyScan();
      body.begin(kind, contentLength);
      body.read(raw("5\r\nab"), 0, 5);
      return body.finish();
    };
    expect(finished("close")).toBe("done");
    expect(finished("tunnel")).toBe("done");
    expect(finished("chunked")).toBe("incomplete");
    expect(finished("length", 6)).toBe("incomplete");
    expect(finished("length", 5)).toBe("done");
  });

  test("a failed body stays failed", () => {
    const body = new BodyScan();
    body.begin("chunked", 0);
    expect(body.read(raw("x"), 0, 1)).toBe("failed");
    expect(body.read(LAST_CHUNK, 0, LAST_CHUNK.length)).toBe("failed");
    body.begin("chunked", 0);
    expect(body.read(LAST_CHUNK, 0, LAST_CHUNK.length)).toBe("done");
  });
});

describe("chunked (RFC 9112 §7.1)", () => {
  test("goes out as it came and ends where it ends", () => {
    const text = "5\r\nHello\r\n0B\r\n, world\r\n..\r\n000\r\n\r\n";
    const scanned = scan(`${text}GET / HTTP/1.1`);
    expect(scanned).toMatchObject({ state: "done", length: text.length, forward: text });
    expect(scanned).toMatchObject({ payload: "Hello, world\r\n..", payloadBytes: 16 });
  });

  test("extensions are left out, trailers stay", () => {
    const text = '5;a\r\nHello\r\n1;b=c;d="x;\\""\r\n!\r\n0;e\r\nX-Sum: 1\r\n\r\n';
    const scanned = scan(text);
    expect(scanned.forward).toBe("5\r\nHello\r\n1\r\n!\r\n0\r\nX-Sum: 1\r\n\r\n");
    expect(scanned).toMatchObject({ state: "done", length: text.length, payload: "Hello!" });
  });

  test.each([
    ["\r\n", "CHUNK_SIZE"],
    ["g\r\n", "CHUNK_SIZE"],
    ["0x1\r\n", "CHUNK_SIZE"],
    ["-1\r\n", "CHUNK_SIZE"],
    ["+1\r\n", "CHUNK_SIZE"],
    [" 1\r\n", "CHUNK_SIZE"],
    ["1 \r\n", "CHUNK_SIZE"],
    ["1\t;a\r\n", "CHUNK_SIZE"],
    ["1_0\r\n", "CHUNK_SIZE"],
    ["00000000000000001\r\n", "CHUNK_SIZE"],
    ["20000000000000\r\n", "CHUNK_LENGTH"],
    ["ffffffffffffffff\r\n", "CHUNK_LENGTH"],
    ["1\n", "BARE_LF"],
    ["1\rx", "BARE_CR"],
    ["1;\r\n", "CHUNK_EXTENSION"],
    ["1; a\r\n", "CHUNK_EXTENSION"],
    ["1;a \r\n", "CHUNK_EXTENSION"],
    ["1;a=\r\n", "CHUNK_EXTENSION"],
    ["1;a=b=c\r\n", "CHUNK_EXTENSION"],
    ['1;a="b\r\n', "CHUNK_EXTENSION"],
    ['1;a="b"c\r\n', "CHUNK_EXTENSION"],
    ['1;a=b"c"\r\n', "CHUNK_EXTENSION"],
    ['1;"a"\r\n', "CHUNK_EXTENSION"],
    ["1;a\n", "CHUNK_EXTENSION"],
    ["1;a\0\r\n", "CHUNK_EXTENSION"],
    ["1\r\nab", "CHUNK_END"],
    ["1\r\na\n", "CHUNK_END"],
    ["1\r\na\rb", "CHUNK_END"],
    ["0\r\n\n", "BARE_LF"],
    ["0\r\n\rx", "BARE_CR"],
    ["0\r\n a: b\r\n", "OBS_FOLD"],
    ["0\r\na: b\r\n c\r\n", "OBS_FOLD"],
    ["0\r\na : b\r\n", "HEADER_BLANK"],
    ["0\r\n: b\r\n", "HEADER_NAME"],
    ["0\r\na\r\n", "HEADER_NAME"],
    ["0\r\na: b\n", "BARE_LF"],
    ["0\r\na: \0\r\n", "HEADER_VALUE"],
    ["0\r\na: b\rc", "BARE_CR"],
    ["0\r\nContent-Length: 5\r\n", "TRAILER"],
    ["0\r\ntransfer-encoding: chunked\r\n", "TRAILER"],
    ["0\r\nHost: a\r\n", "TRAILER"],
    ["0\r\nX-Forwarded-For: a\r\n", "TRAILER"],
    ["0\r\nX_Forwarded_For: a\r\n", "TRAILER"],
    ["0\r\nAuthorization: a\r\n", "TRAILER"],
    ["0\r\nX-SSL-Client-Verify: SUCCESS\r\n", "TRAILER"],
    ["0\r\nx_ssl-client_dn: CN=admin\r\n", "TRAILER"],
    [`0\r\nX-SSL-Client-${"x".repeat(80)}: a\r\n`, "TRAILER"],
  ])("%j is refused, in one piece and byte by byte", (text, error) => {
    const cuts = Array.from({ length: text.length }, (_, i) => i + 1);
    expect(scan(text)).toMatchObject({ state: "failed", error });
    expect(scan(text, { cuts })).toMatchObject({ state: "failed", error });
  });

  test("extensions and trailers have limits over the whole body", () => {
    const limits = { maxExtensionBytes: 6, maxTrailerBytes: 10 };
    expect(scan("1;ab\r\na\r\n0;cd\r\n\r\n", { limits }).state).toBe("done");
    expect(scan("1;ab\r\na\r\n0;cde\r\n\r\n", { limits }).error).toBe("CHUNK_EXTENSION_LENGTH");
    expect(scan("0\r\na: bcde\r\n\r\n", { limits }).error).toBe("TRAILER_LENGTH");
    expect(scan("0\r\na: bcd\r\n\r\n", { limits }).state).toBe("done");
  });

  test("a long trailer name is not cut to a known one", () => {
    expect(scan(`0\r\n${"x".repeat(200)}: a\r\n\r\n`).state).toBe("done");
  });
});

const content = fc.string({ unit: fc.constantFrom("a", "\r", "\n", "0", ";", ":"), minLength: 1, maxLength: 40 });
const extension = fc.constantFrom("", "", ";a", ";a=b", ';a="b c";d');
const chunk = fc.record({ data: content, extension, upper: fc.boolean(), zeros: fc.constantFrom("", "0", "000") });
const trailers = fc.constantFrom("", "X-Sum: 1\r\n", "X-Sum:\r\nX-More: a b \r\n");

describe("properties", () => {
  test("wherever a chunked body is cut, the same bytes are forwarded and the same are payload", () => {
    fc.assert(
      fc.property(fc.array(chunk), trailers, fc.array(fc.nat(400)), (chunks, tail, cuts) => {
        const wrap = (withExtensions: boolean): string =>
          chunks
            .map(({ data, extension: ext, upper, zeros }) => {
              const size = data.length.toString(16);
              return `${zeros}${upper ? size.toUpperCase() : size}${withExtensions ? ext : ""}\r\n${data}\r\n`;
            })
            .join("") + `0\r\n${tail}\r\n`;
        const text = wrap(true);
        const scanned = scan(`${text}GET / HTTP/1.1\r\n`, { cuts });
        const payload = chunks.map(({ data }) => data).join("");
        expect(scanned).toEqual({
          state: "done",
          error: undefined,
          length: text.length,
          forward: wrap(false),
          payload,
          payloadBytes: payload.length,
        });
      }),
    );
  });

  test("what is forwarded of anything accepted is itself accepted, with the same payload", () => {
    const noise = fc.string({ unit: fc.constantFrom(...'01aF;="\r\n:x \0'.split("")), maxLength: 12 });
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            noise,
            chunk.map(({ data }) => `${data.length.toString(16)}\r\n${data}\r\n`),
            fc.constant("0\r\n\r\n"),
          ),
        ),
        (parts) => {
          const scanned = scan(parts.join(""));
          fc.pre(scanned.state === "done");
          expect(scan(scanned.forward)).toMatchObject({
            state: "done",
            payload: scanned.payload,
            forward: scanned.forward,
          });
        },
      ),
    );
  });

  test("what the writer writes is read back", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (size) => {
        const out = new Uint8Array(MAX_CHUNK_SIZE_BYTES + 1);
        const end = writeChunkSize(size, out, 1);
        expect(Buffer.from(out.subarray(1, end)).toString()).toBe(`${size.toString(16)}\r\n`);
      }),
      { examples: [[1], [15], [16], [Number.MAX_SAFE_INTEGER]] },
    );
  });
});
