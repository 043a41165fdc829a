import { hostEnd } from "./http1-authority.ts";
import { encodeText, equalsLower } from "./http1-bytes.ts";
import { type Http1Error, http1Errors } from "./http1-errors.ts";
import { FAILED, HeaderFields, INCOMPLETE } from "./http1-fields.ts";
import { type BodyKind, Framing, responseBody } from "./http1-framing.ts";
import { TokenList } from "./http1-list.ts";
import { HeaderName, Method, type MethodId } from "./http1-names.ts";
import { RequestLine } from "./http1-request-line.ts";
import { HeadScan } from "./http1-scan.ts";
import { StatusLine } from "./http1-status-line.ts";

/** How much of a head is accepted. */
export interface HeadLimits {
  /** Longest target of a request; longer ones fail with 414. */
  readonly maxUriBytes: number;
  /** Longest head, first line and empty line included; longer ones fail with 431. */
  readonly maxHeaderBytes: number;
  /** Most header lines; more fail with 431. */
  readonly maxHeaderCount: number;
}

/** `failed`: `error` says why; nothing more of that connection can be understood. */
export type HeadState = "incomplete" | "complete" | "failed";

const EXPECT_CONTINUE = encodeText("100-continue");
const WEBSOCKET = encodeText("websocket");
const TRAILERS = encodeText("trailers");

const list = new TokenList();

/**
 * Parses the head of one HTTP/1 request after the other, strictly by RFC 9112 and without making a string or an object.
 *
 * Everything known of the head is an offset into `bytes`, the view given last, and holds until the next `reset`. A
 * request that two servers could understand differently is refused.
 */
export class RequestHead {
  /** What the offsets point into. */
  bytes: Uint8Array = new Uint8Array(0);
  readonly line: RequestLine;
  readonly fields: HeaderFields;
  readonly framing = new Framing();
  /** Offset after the head: of the body's first byte. */
  end = 0;
  /** Host without port that rules: the target's, else the Host header's; empty for HTTP/1.0 without either. */
  hostStart = 0;
  hostEnd = 0;
  /** Offset after `host[:port]`. */
  authorityEnd = 0;
  /** `Expect: 100-continue` from an HTTP/1.1 client. */
  expectsContinue = false;
  /** `TE: trailers`. */
  acceptsTrailers = false;
  /** A GET with `Upgrade: websocket`, no body, and `Connection: upgrade` (RFC 6455 §4.1). */
  upgradesToWebSocket = false;
  /** Why `parse` answered `failed`. */
  error: Http1Error | undefined;

  readonly #scan: HeadScan;

  constructor(limits: HeadLimits) {
    this.line = new RequestLine(limits.maxUriBytes);
    this.fields = new HeaderFields(limits.maxHeaderCount);
    this.#scan = new HeadScan(this.line, this.fields, limits.maxHeaderBytes);
  }

  /** Forgets everything, for the next request. */
  reset(): void {
    this.#scan.reset();
    this.error = undefined;
  }

  /** Whether a byte of the request has come. */
  get hasStarted(): boolean {
    return this.#scan.hasStarted;
  }

  /**
   * Parses the head in `bytes[start, end)`. While the answer is `incomplete`, call again with the same bytes and more
   * behind them, in this view or another and at any `start`; no byte is looked at twice.
   */
  parse(bytes: Uint8Array, start: number, end: number): HeadState {
    this.bytes = bytes;
    const at = this.#scan.scan(bytes, start, end);
    if (at === INCOMPLETE) return "incomplete";
    return at === FAILED ? this.#fail(this.#scan.error) : this.#finish(at);
  }

  #finish(end: number): HeadState {
    this.end = end;
    const { bytes, fields, framing, line } = this;
    const error = this.#readHost() ?? framing.read(bytes, fields, line.minorVersion);
    if (error !== undefined) return this.#fail(error);
    this.expectsContinue = line.minorVersion === 1 && this.#is(HeaderName.EXPECT, EXPECT_CONTINUE);
    this.acceptsTrailers = fields.has(HeaderName.TE) && this.#readsTrailers();
    this.upgradesToWebSocket =
      framing.hasUpgrade &&
      line.method === Method.GET &&
      line.minorVersion === 1 &&
      framing.declared === "none" &&
      this.#is(HeaderName.UPGRADE, WEBSOCKET);
    return "complete";
  }

  /** Exactly one valid Host in HTTP/1.1, at most one in 1.0; an absolute target overrides it (RFC 9112 §3.2, §3.2.2). */
  #readHost(): Http1Error | undefined {
    const { bytes, fields, line } = this;
    this.hostStart = this.hostEnd = this.authorityEnd = line.start;
    const index = fields.first(HeaderName.HOST);
    if (index < 0) return line.minorVersion === 1 ? http1Errors.noHost : this.#readTargetHost();
    if (fields.next(HeaderName.HOST, index) >= 0) return http1Errors.hosts;
    this.hostStart = fields.valueStart(index);
    this.authorityEnd = fields.valueEnd(index);
    this.hostEnd = hostEnd(bytes, this.hostStart, this.authorityEnd);
    return this.hostEnd < 0 ? http1Errors.host : this.#readTargetHost();
  }

  #readTargetHost(): undefined {
    const { line } = this;
    if (line.authorityEnd === line.authorityStart) return;
    this.hostStart = line.authorityStart;
    this.authorityEnd = line.authorityEnd;
    this.hostEnd = hostEnd(this.bytes, this.hostStart, this.authorityEnd);
  }

  /** Whether the only header of that name has this value. */
  #is(name: typeof HeaderName.EXPECT | typeof HeaderName.UPGRADE, value: Uint8Array): boolean {
    const { bytes, fields } = this;
    const index = fields.first(name);
    if (index < 0 || fields.next(name, index) >= 0) return false;
    return equalsLower(bytes, fields.valueStart(index), fields.valueEnd(index), value);
  }

  #readsTrailers(): boolean {
    const { bytes, fields } = this;
    const index = fields.first(HeaderName.TE);
    list.open(bytes, fields.valueStart(index), fields.valueEnd(index));
    while (list.next()) if (list.is(TRAILERS)) return true;
    return false;
  }

  /** How the request's body ends. */
  get body(): "none" | "length" | "chunked" {
    return this.framing.declared;
  }

  /** Whether the client keeps the connection open after this request. */
  get isPersistent(): boolean {
    return this.framing.isPersistent(this.line.minorVersion);
  }

  #fail(error: Http1Error | undefined): "failed" {
    this.error = error;
    return "failed";
  }
}

/** Parses the head of one HTTP/1 response after the other, like {@link RequestHead}. An error is a 502 to the client. */
export class ResponseHead {
  /** What the offsets point into. */
  bytes: Uint8Array = new Uint8Array(0);
  readonly line = new StatusLine();
  readonly fields: HeaderFields;
  readonly framing = new Framing();
  /** Offset after the head: of the body's first byte. */
  end = 0;
  /** Why `parse` answered `failed`. */
  error: Http1Error | undefined;

  readonly #scan: HeadScan;

  /** @param limits `maxUriBytes` means nothing here. */
  constructor({ maxHeaderBytes, maxHeaderCount }: Omit<HeadLimits, "maxUriBytes">) {
    this.fields = new HeaderFields(maxHeaderCount);
    this.#scan = new HeadScan(this.line, this.fields, maxHeaderBytes);
  }

  /** Forgets everything, for the next response. */
  reset(): void {
    this.#scan.reset();
    this.error = undefined;
  }

  /** Whether a byte of the response has come. */
  get hasStarted(): boolean {
    return this.#scan.hasStarted;
  }

  /** Like {@link RequestHead.parse}. */
  parse(bytes: Uint8Array, start: number, end: number): HeadState {
    this.bytes = bytes;
    const at = this.#scan.scan(bytes, start, end);
    if (at === INCOMPLETE) return "incomplete";
    return at === FAILED ? this.#fail(this.#scan.error) : this.#finish(at);
  }

  #finish(end: number): HeadState {
    this.end = end;
    const error = this.framing.read(this.bytes, this.fields, this.line.minorVersion);
    return error === undefined ? "complete" : this.#fail(error);
  }

  /** How the body ends, given the method of the request that this answers. */
  bodyFor(method: MethodId): BodyKind {
    return responseBody(this.line.status, this.framing.declared, method);
  }

  /** Whether the backend keeps the connection open after this response. */
  isPersistentFor(method: MethodId): boolean {
    const body = this.bodyFor(method);
    return body !== "close" && body !== "tunnel" && this.framing.isPersistent(this.line.minorVersion);
  }

  #fail(error: Http1Error | undefined): "failed" {
    this.error = error;
    return "failed";
  }
}
