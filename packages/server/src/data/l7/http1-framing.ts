import { encodeText, equalsLower, isDigit, ZERO } from "./http1-bytes.ts";
import { type Http1Error, http1Errors } from "./http1-errors.ts";
import type { HeaderFields } from "./http1-fields.ts";
import { TokenList } from "./http1-list.ts";
import { END_TO_END, findHeaderName, HeaderName, Method, type MethodId } from "./http1-names.ts";

/**
 * How the end of a message is found (RFC 9112 §6.3): it has no body, `Content-Length` bytes, chunks, everything up to the
 * connection's end, or stops being HTTP (101, 2xx to CONNECT).
 */
export type BodyKind = "none" | "length" | "chunked" | "close" | "tunnel";

const CHUNKED = encodeText("chunked");
const CLOSE = encodeText("close");
const KEEP_ALIVE = encodeText("keep-alive");
const UPGRADE = encodeText("upgrade");
/** Digits of 2^53-1; more are refused rather than rounded. */
const MAX_LENGTH_DIGITS = 16;

const list = new TokenList();

/** What Content-Length, Transfer-Encoding and Connection of one head mean. Reused, like the head it belongs to. */
export class Framing {
  /** `none` also where no header says anything: what that means differs between requests and responses. */
  declared: "none" | "length" | "chunked" = "none";
  /** Value of Content-Length, 0 without one. */
  contentLength = 0;
  /** `Connection` has `close`. */
  hasClose = false;
  hasKeepAlive = false;
  hasUpgrade = false;
  /** `Connection` names other headers, which end here too. */
  nominates = false;

  /**
   * Reads the headers of a whole head. Anything that two parsers could read in two ways is an error.
   * @param minorVersion of HTTP/1: transfer codings came with 1.1 (RFC 9112 §6.1).
   */
  read(bytes: Uint8Array, fields: HeaderFields, minorVersion: number): Http1Error | undefined {
    this.declared = "none";
    this.contentLength = 0;
    this.hasClose = this.hasKeepAlive = this.hasUpgrade = this.nominates = false;
    const hasLength = fields.has(HeaderName.CONTENT_LENGTH);
    const hasCoding = fields.has(HeaderName.TRANSFER_ENCODING);
    let error: Http1Error | undefined;
    if (hasLength && hasCoding) return http1Errors.lengthAndCoding;
    if (hasLength) error = this.#readLength(bytes, fields);
    if (hasCoding) error = minorVersion === 0 ? http1Errors.codingIn10 : this.#readCoding(bytes, fields);
    if (error === undefined && fields.has(HeaderName.CONNECTION)) error = this.#readConnection(bytes, fields);
    return error;
  }

  /** One header of digits only; lists of equal numbers, which RFC 9112 §6.3 lets pass, are refused too. */
  #readLength(bytes: Uint8Array, fields: HeaderFields): Http1Error | undefined {
    const index = fields.first(HeaderName.CONTENT_LENGTH);
    if (fields.next(HeaderName.CONTENT_LENGTH, index) >= 0) return http1Errors.contentLengths;
    const start = fields.valueStart(index);
    const end = fields.valueEnd(index);
    if (start === end || end - start > MAX_LENGTH_DIGITS) return http1Errors.contentLength;
    let length = 0;
    for (let at = start; at < end; at++) {
      const byte = bytes[at] as number;
      if (!isDigit(byte)) return http1Errors.contentLength;
      length = length * 10 + (byte - ZERO);
    }
    if (length > Number.MAX_SAFE_INTEGER) return http1Errors.contentLength;
    this.declared = "length";
    this.contentLength = length;
    return undefined;
  }

  #readCoding(bytes: Uint8Array, fields: HeaderFields): Http1Error | undefined {
    const index = fields.first(HeaderName.TRANSFER_ENCODING);
    if (fields.next(HeaderName.TRANSFER_ENCODING, index) >= 0) return http1Errors.codings;
    const start = fields.valueStart(index);
    const end = fields.valueEnd(index);
    this.declared = "chunked";
    // The exact word, so that no list syntax reaches a backend; the walk below only finds the fitting error.
    return equalsLower(bytes, start, end, CHUNKED) ? undefined : faultOfCoding(bytes, start, end);
  }

  #readConnection(bytes: Uint8Array, fields: HeaderFields): Http1Error | undefined {
    let index = fields.first(HeaderName.CONNECTION);
    for (; index >= 0; index = fields.next(HeaderName.CONNECTION, index)) {
      list.open(bytes, fields.valueStart(index), fields.valueEnd(index));
      while (list.next()) {
        if (list.is(KEEP_ALIVE)) this.hasKeepAlive = true;
        else if (list.is(CLOSE)) this.hasClose = true;
        else if (list.is(UPGRADE)) this.hasUpgrade = true;
        else if (END_TO_END[findHeaderName(bytes, list.start, list.end)] === 1) return http1Errors.nominated;
        else this.nominates = true;
      }
      if (list.isMalformed) return http1Errors.connection;
    }
    return undefined;
  }

  /** Whether the sender keeps the connection open after this message (RFC 9112 §9.3). */
  isPersistent(minorVersion: number): boolean {
    return !this.hasClose && (minorVersion === 1 || this.hasKeepAlive);
  }
}

function faultOfCoding(bytes: Uint8Array, start: number, end: number): Http1Error {
  let chunked = 0;
  let isLast = false;
  list.open(bytes, start, end);
  while (list.next()) {
    isLast = list.is(CHUNKED);
    if (isLast) chunked++;
  }
  if (chunked > 1) return http1Errors.codings;
  return isLast && !list.isMalformed ? http1Errors.unknownCoding : http1Errors.coding;
}

/** Whether a header named by `Connection` (other than its options) has this name. */
export function isNominated(bytes: Uint8Array, fields: HeaderFields, nameStart: number, nameEnd: number): boolean {
  let index = fields.first(HeaderName.CONNECTION);
  for (; index >= 0; index = fields.next(HeaderName.CONNECTION, index)) {
    list.open(bytes, fields.valueStart(index), fields.valueEnd(index));
    while (list.next()) {
      if (equalNames(bytes, nameStart, nameEnd)) return true;
    }
  }
  return false;
}

function equalNames(bytes: Uint8Array, nameStart: number, nameEnd: number): boolean {
  if (list.end - list.start !== nameEnd - nameStart) return false;
  for (let i = 0; i < nameEnd - nameStart; i++) {
    const a = bytes[list.start + i] as number;
    const b = bytes[nameStart + i] as number;
    if (lower(a) !== lower(b)) return false;
  }
  return true;
}

const lower = (byte: number): number => (byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte);

/** How a response's body ends, which the request's method decides too (RFC 9112 §6.3). */
export function responseBody(status: number, declared: Framing["declared"], method: MethodId): BodyKind {
  if (status === 101) return "tunnel";
  if (method === Method.CONNECT && status >= 200 && status < 300) return "tunnel";
  if (method === Method.HEAD || status < 200 || status === 204 || status === 304) return "none";
  return declared === "none" ? "close" : declared;
}
