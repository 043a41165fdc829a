import { ASTERISK, encodeText, isDigit, SLASH, TARGET, TOKEN_LOWER, ZERO } from "../http1-bytes.ts";
import type { ByteSlice, FieldSink } from "./hpack-decoder.ts";
import { FieldKind, fieldKindOf, type FieldKindId, isWord } from "./http2-field.ts";

/** How the body of a request comes. */
export type RequestBody = "none" | "length" | "chunked";

const LINE_END = encodeText(" HTTP/1.1\r\n");
const HOST = encodeText("host: ");
const COOKIE = encodeText("cookie: ");
const COOKIE_SEPARATOR = encodeText("; ");
const CHUNKED = encodeText("transfer-encoding: chunked\r\n");
const SEPARATOR = encodeText(": ");
const SPACE = encodeText(" ");
const CRLF = encodeText("\r\n");
const CONNECT = encodeText("CONNECT");
const HEAD = encodeText("HEAD");
const OPTIONS = encodeText("OPTIONS");
const HTTP = encodeText("http");
const HTTPS = encodeText("https");
/** Digits of 2^53-1. */
const MAX_LENGTH_DIGITS = 16;

/** A run of bytes up to a limit, in memory that is used again and again. */
class Run implements ByteSlice {
  bytes: Uint8Array = Buffer.allocUnsafeSlow(4096);
  readonly start = 0;
  end = 0;
  /** More was put than the limit allows; what came first is there. */
  isCut = false;
  limit = 0;

  begin(limit: number): void {
    this.end = 0;
    this.limit = limit;
    this.isCut = false;
  }

  put(bytes: Uint8Array, start: number, end: number): void {
    const taken = Math.min(end - start, this.limit - this.end);
    if (taken < end - start) this.isCut = true;
    if (this.end + taken > this.bytes.length) this.#grow(this.end + taken);
    const { bytes: out, end: at } = this;
    for (let i = 0; i < taken; i++) out[at + i] = bytes[start + i] as number;
    this.end = at + taken;
  }

  putAll(bytes: Uint8Array): void {
    this.put(bytes, 0, bytes.length);
  }

  putSlice({ bytes, start, end }: ByteSlice): void {
    this.put(bytes, start, end);
  }

  #grow(needed: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.bytes.length));
    larger.set(this.bytes.subarray(0, this.end));
    this.bytes = larger;
  }
}

/**
 * Makes the head of an HTTP/1.1 request of a header block (RFC 9113 §8.3.1). What HTTP/2 has rules of its own for is
 * judged here; everything else, limits included, is left to the parser that the head is given to. One for all
 * connections of a thread, since a block is decoded in one go.
 */
export class Http2RequestHead implements FieldSink {
  /** Why the request is malformed; undefined = it is not. */
  fault: string | undefined;
  /** Value of content-length; -1 without one. */
  contentLength = -1;
  isHeadMethod = false;
  readonly #head = new Run();
  readonly #method = new Run();
  readonly #path = new Run();
  readonly #authority = new Run();
  readonly #cookie = new Run();
  /** Bit by {@link FieldKind} of the pseudo-headers that came. */
  #pseudo = 0;
  #inFields = false;
  #hasHost = false;

  /** @param limitBytes longer heads are cut there: whoever reads them must refuse heads of this length. */
  begin(limitBytes: number): void {
    for (const run of [this.#head, this.#method, this.#path, this.#authority, this.#cookie]) run.begin(limitBytes);
    this.fault = undefined;
    this.contentLength = -1;
    this.#pseudo = 0;
    this.#inFields = this.#hasHost = false;
  }

  field(name: ByteSlice, value: ByteSlice): void {
    // Too long, whatever comes: a few bytes may stand for the same large field thousands of times.
    if (this.fault !== undefined || this.#head.isCut || this.#cookie.isCut) return;
    const kind = fieldKindOf(name, value);
    if (kind >= FieldKind.METHOD && kind <= FieldKind.PATH) return this.#takePseudo(kind, value);
    if (kind === FieldKind.MALFORMED) return this.#fail("a field that HTTP/2 does not allow");
    if (!this.#inFields) this.#startFields();
    if (kind === FieldKind.COOKIE) return this.#takeCookie(value);
    if (kind === FieldKind.HOST && !this.#isNewHost(value)) return;
    if (kind === FieldKind.CONTENT_LENGTH) this.#takeLength(value);
    const head = this.#head;
    head.putSlice(name);
    head.putAll(SEPARATOR);
    head.putSlice(value);
    head.putAll(CRLF);
  }

  /**
   * The whole head, valid until the next {@link begin}; undefined when there is a {@link fault}.
   * @param isEnd nothing follows the block.
   */
  finish(isEnd: boolean): ByteSlice | undefined {
    if (this.fault === undefined && !this.#inFields) this.#startFields();
    if (isEnd && this.contentLength > 0) this.#fail("content-length without a body");
    if (this.fault !== undefined) return undefined;
    const head = this.#head;
    if (this.#cookie.end > 0) {
      head.putAll(COOKIE);
      head.putSlice(this.#cookie);
      head.putAll(CRLF);
    }
    if (this.bodyOf(isEnd) === "chunked") head.putAll(CHUNKED);
    head.putAll(CRLF);
    return head;
  }

  /** The head is longer than the limit: it ends there. */
  get isCut(): boolean {
    return this.#head.isCut;
  }

  /** How the body comes. */
  bodyOf(isEnd: boolean): RequestBody {
    if (this.contentLength >= 0) return this.contentLength === 0 ? "none" : "length";
    return isEnd ? "none" : "chunked";
  }

  #takePseudo(kind: FieldKindId, value: ByteSlice): void {
    const bit = 1 << kind;
    if (this.#inFields) return this.#fail("a pseudo-header behind a field");
    if ((this.#pseudo & bit) !== 0) return this.#fail("a pseudo-header that is repeated");
    this.#pseudo |= bit;
    if (kind === FieldKind.METHOD) this.#method.putSlice(value);
    else if (kind === FieldKind.AUTHORITY) this.#authority.putSlice(value);
    else if (kind === FieldKind.PATH) this.#path.putSlice(value);
    else if (!isWord(value, HTTP) && !isWord(value, HTTPS)) this.#fail("a scheme that is neither http nor https");
  }

  /** Request line and Host (RFC 9113 §8.3.1, §8.5), once all pseudo-headers are there. */
  #startFields(): void {
    this.#inFields = true;
    const method = this.#method;
    const isConnect = isWord(method, CONNECT);
    const target = isConnect ? this.#authority : this.#path;
    this.isHeadMethod = isWord(method, HEAD);
    const fault = isConnect ? this.#faultOfConnect() : this.#faultOfTarget();
    if (fault !== undefined || !isToken(method)) return this.#fail(fault ?? "a method that is no token");
    const head = this.#head;
    head.putSlice(method);
    head.putAll(SPACE);
    head.putSlice(target);
    head.putAll(LINE_END);
    if (!this.#has(FieldKind.AUTHORITY)) return;
    head.putAll(HOST);
    head.putSlice(this.#authority);
    head.putAll(CRLF);
  }

  #faultOfConnect(): string | undefined {
    if (this.#has(FieldKind.PATH) || this.#has(FieldKind.SCHEME)) return "CONNECT with a path or a scheme";
    return isTarget(this.#authority) ? undefined : "CONNECT without an authority";
  }

  #faultOfTarget(): string | undefined {
    const { bytes, end } = this.#path;
    if (!this.#has(FieldKind.METHOD) || !this.#has(FieldKind.SCHEME) || !this.#has(FieldKind.PATH)) {
      return "a pseudo-header is missing";
    }
    // Anything else would be taken for a URL of another host.
    const isPath = end > 0 && bytes[0] === SLASH;
    const isAsterisk = end === 1 && bytes[0] === ASTERISK && isWord(this.#method, OPTIONS);
    return (isPath || isAsterisk) && isTarget(this.#path) ? undefined : "a path that is none";
  }

  /** Host says nothing that :authority has not said; another one is an attempt to be taken for two requests. */
  #isNewHost(value: ByteSlice): boolean {
    if (this.#hasHost) this.#fail("more than one host");
    this.#hasHost = true;
    if (!this.#has(FieldKind.AUTHORITY)) return true;
    if (!equalsHost(this.#authority, value)) this.#fail("a host that differs from :authority");
    return false;
  }

  #takeCookie(value: ByteSlice): void {
    if (value.end === value.start) return;
    if (this.#cookie.end > 0) this.#cookie.putAll(COOKIE_SEPARATOR);
    this.#cookie.putSlice(value);
  }

  /** Exactly one number of digits only: what follows is counted against it. */
  #takeLength({ bytes, start, end }: ByteSlice): void {
    let length = 0;
    let isNumber = this.contentLength < 0 && end > start && end - start <= MAX_LENGTH_DIGITS;
    for (let at = start; at < end && isNumber; at++) {
      const byte = bytes[at] as number;
      isNumber = isDigit(byte);
      length = length * 10 + (byte - ZERO);
    }
    if (!isNumber || length > Number.MAX_SAFE_INTEGER) return this.#fail("a content-length that is not one number");
    this.contentLength = length;
  }

  #has(kind: FieldKindId): boolean {
    return (this.#pseudo & (1 << kind)) !== 0;
  }

  #fail(fault: string): void {
    this.fault ??= fault;
  }
}

/** Trailers of a request as the trailer section of a chunked body (RFC 9113 §8.1). */
export class Http2RequestTrailers implements FieldSink {
  fault: string | undefined;
  readonly #lines = new Run();

  /** @param limitBytes longer ones are cut there, and must be refused by whoever reads them. */
  begin(limitBytes: number): void {
    this.fault = undefined;
    this.#lines.begin(limitBytes);
  }

  field(name: ByteSlice, value: ByteSlice): void {
    if (this.#lines.isCut) return;
    const kind = fieldKindOf(name, value);
    if (kind !== FieldKind.PLAIN) this.fault ??= "a trailer that HTTP/2 does not allow";
    this.#lines.putSlice(name);
    this.#lines.putAll(SEPARATOR);
    this.#lines.putSlice(value);
    this.#lines.putAll(CRLF);
  }

  /** The lines, without the empty one behind them. */
  get lines(): ByteSlice {
    return this.#lines;
  }
}

function isToken({ bytes, start, end }: ByteSlice): boolean {
  for (let at = start; at < end; at++) if (TOKEN_LOWER[bytes[at] as number] === 0) return false;
  return end > start;
}

function isTarget({ bytes, start, end }: ByteSlice): boolean {
  for (let at = start; at < end; at++) if (TARGET[bytes[at] as number] !== 1) return false;
  return end > start;
}

/** Compares hosts, whose case means nothing. */
function equalsHost(a: ByteSlice, b: ByteSlice): boolean {
  if (a.end - a.start !== b.end - b.start) return false;
  for (let i = 0; i < a.end - a.start; i++) {
    const left = a.bytes[a.start + i] as number;
    const right = b.bytes[b.start + i] as number;
    if (left !== right && (TOKEN_LOWER[left] === 0 || TOKEN_LOWER[left] !== TOKEN_LOWER[right])) return false;
  }
  return true;
}
