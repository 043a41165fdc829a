import { CHUNK_END, MAX_CHUNK_SIZE_BYTES, writeChunkSize } from "./http1-chunk-writer.ts";
import type { RawHeaders } from "./http2-upstream-request.ts";
import { reasonPhrase } from "./local-response.ts";

/** Where the bytes of one message are put together; its content is lost with the next call of anything here. */
const CAPACITY = 160 * 1024;
const shared = Buffer.allocUnsafeSlow(CAPACITY);

const room = (bytes: number): Buffer => (bytes <= CAPACITY ? shared : Buffer.allocUnsafeSlow(bytes));

/** Names in HTTP/2 are tokens in lower case (RFC 9113 §8.2.1). */
const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
/** What would end a line of HTTP/1.1; the parser behind judges the rest. */
const BREAKS_LINE = /[\r\n\0]/;
/** RFC 9113 §8.2.2: a response that has one of them is malformed. */
const CONNECTION_SPECIFIC: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

/** How a response's content is framed in HTTP/1.1. */
export type ResponseFraming = "none" | "length" | "chunked";

/** What is known of a response when its header section has come. */
export interface Http2ResponseFacts {
  readonly status: number;
  /** It answers HEAD. */
  readonly isHead: boolean;
  /** Nothing follows the header section. */
  readonly isEnded: boolean;
}

/** How the content of a response goes on in HTTP/1.1. */
export function framingOf(headers: RawHeaders, { status, isHead, isEnded }: Http2ResponseFacts): ResponseFraming {
  if (isHead || status < 200 || status === 204 || status === 304) return "none";
  if (isEnded) return "length";
  // Only chunks can be followed by trailers.
  return hasField(headers, "content-length") && !hasField(headers, "trailer") ? "length" : "chunked";
}

/** The value of `:status`, NaN when it is missing. */
export const statusOf = (headers: RawHeaders): number => {
  const at = headers.indexOf(":status");
  return at < 0 ? Number.NaN : Number(headers[at + 1]);
};

function hasField(headers: RawHeaders, name: string): boolean {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) return true;
  return false;
}

/**
 * The head of an HTTP/1.1 response; undefined when the header section can't be one. Whatever else HTTP/1.1 forbids is
 * for `ResponseHead` to find, which reads what is written here.
 */
export function http1ResponseHead(
  headers: RawHeaders,
  facts: Http2ResponseFacts,
  framing: ResponseFraming,
): string | undefined {
  const { status, isEnded } = facts;
  // 101 does not exist in HTTP/2 (RFC 9113 §8.6).
  if (!(status >= 100 && status <= 999) || status === 101) return undefined;
  let head = `HTTP/1.1 ${status} ${reasonPhrase(status)}\r\n`;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name === ":status") continue;
    if (framing === "chunked" && name === "content-length") continue;
    if (CONNECTION_SPECIFIC.has(name)) return undefined;
    const line = fieldLine(name, headers[i + 1] as string);
    if (line === undefined) return undefined;
    head += line;
  }
  if (framing === "chunked") head += "transfer-encoding: chunked\r\n";
  else if (framing === "length" && isEnded && !hasField(headers, "content-length")) head += "content-length: 0\r\n";
  return `${head}\r\n`;
}

/** What ends a chunked body; undefined when the trailer section is malformed. */
export function http1BodyEnd(trailers: RawHeaders): string | undefined {
  let end = "0\r\n";
  for (let i = 0; i < trailers.length; i += 2) {
    const line = fieldLine(trailers[i] as string, trailers[i + 1] as string);
    if (line === undefined) return undefined;
    end += line;
  }
  return `${end}\r\n`;
}

function fieldLine(name: string, value: string): string | undefined {
  return NAME.test(name) && !BREAKS_LINE.test(value) ? `${name}: ${value}\r\n` : undefined;
}

/** Parts of one HTTP/1.1 message, to leave in one piece. */
export interface Http1Piece {
  /** Heads, one byte a character; empty for none. */
  readonly head: string;
  readonly contents: readonly Uint8Array[];
  readonly contentBytes: number;
  readonly isChunked: boolean;
  /** What ends the body; empty for nothing. */
  readonly end: string;
}

/** The bytes of a piece. They hold until the next piece is written. */
export function http1Piece({ head, contents, contentBytes, isChunked, end }: Http1Piece): Uint8Array {
  // Nearly always in long bodies: one part that goes on as it is.
  if (head === "" && end === "" && !isChunked && contents.length === 1) return contents[0] as Uint8Array;
  const to = room(head.length + contentBytes + end.length + MAX_CHUNK_SIZE_BYTES + CHUNK_END.length);
  let at = head === "" ? 0 : to.write(head, 0, "latin1");
  const asChunk = isChunked && contentBytes > 0;
  if (asChunk) at = writeChunkSize(contentBytes, to, at);
  for (const content of contents) {
    to.set(content, at);
    at += content.length;
  }
  if (asChunk) {
    to.set(CHUNK_END, at);
    at += CHUNK_END.length;
  }
  if (end !== "") at += to.write(end, at, "latin1");
  return to.subarray(0, at);
}
