import { beforeEach, expect, test } from "@jest/globals";

import { HeaderEdits } from "../../../src/data/l7/header-edits.ts";
import { BodyScan } from "../../../src/data/l7/http1-body.ts";
import type { BodyKind } from "../../../src/data/l7/http1-framing.ts";
import { responseRewrite, writeResponse } from "../../../src/data/l7/response-writer.ts";
import { raw, responseHead } from "./http1-rig.ts";

beforeEach(() => {
  responseRewrite.connection = "implied";
  responseRewrite.body = "as-is";
  responseRewrite.edits = HeaderEdits.none;
});

interface Sent {
  readonly lines?: string;
  readonly kind?: BodyKind;
}

/** What is written of a response that came in one piece, and whether it stands where that came. */
function written(head: string, body: string, { lines = "", kind = "length" }: Sent = {}) {
  const parsed = responseHead(`${head}${body}`);
  const { bytes } = parsed;
  const scan = new BodyScan();
  scan.begin(kind, parsed.framing.contentLength);
  scan.read(bytes, parsed.end, bytes.length);
  responseRewrite.lines = raw(lines);
  const out = writeResponse(parsed, scan);
  return { text: Buffer.from(out).toString("latin1"), isInPlace: out.buffer === bytes.buffer };
}

const headOf = (length: number, more = ""): string => `HTTP/1.1 200 OK\r\n${more}Content-Length: ${length}\r\n\r\n`;
const LARGE = "abcdefgh".repeat(512);

test("a large body stays where it came, right behind the new head", () => {
  const { text, isInPlace } = written(headOf(LARGE.length, "Keep-Alive: timeout=5\r\n"), LARGE);
  expect(text).toBe(headOf(LARGE.length) + LARGE);
  expect(isInPlace).toBe(true);
});

test("a part of a body does as well", () => {
  const { text, isInPlace } = written(headOf(LARGE.length * 2), LARGE);
  expect(text).toBe(headOf(LARGE.length * 2) + LARGE);
  expect(isInPlace).toBe(true);
});

test("a body is copied when the new head is longer than the old one", () => {
  const line = "Set-Cookie: a=b\r\n";
  const { text, isInPlace } = written(headOf(LARGE.length), LARGE, { lines: line });
  expect(text).toBe(`HTTP/1.1 200 OK\r\nContent-Length: ${LARGE.length}\r\n${line}\r\n${LARGE}`);
  expect(isInPlace).toBe(false);
});

test("a small body is copied behind the head", () => {
  const { text, isInPlace } = written(headOf(5), "small");
  expect(text).toBe(`${headOf(5)}small`);
  expect(isInPlace).toBe(false);
});

test("chunks without their framing take the place of what stood before them", () => {
  responseRewrite.body = "unframed";
  responseRewrite.connection = "close";
  const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const { text } = written(head, `${LARGE.length.toString(16)}\r\n${LARGE}\r\n`, { kind: "chunked" });
  expect(text).toBe(`HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n${LARGE}`);
});

test("lines are added once", () => {
  const line = "Set-Cookie: a=b\r\n";
  const { text, isInPlace } = written(headOf(LARGE.length, "Keep-Alive: timeout=5\r\n"), LARGE, { lines: line });
  expect(text.split(line)).toHaveLength(2);
  expect(isInPlace).toBe(true);
  expect(responseRewrite.lines).toHaveLength(0);
});
