import { hostEnd } from "./http1-authority.ts";
import {
  ASTERISK,
  CR,
  equalsLower,
  encodeText,
  LF,
  QUESTION_MARK,
  SLASH,
  SP,
  TARGET,
  TARGET_PATH,
} from "./http1-bytes.ts";
import { type Http1Error, http1Errors } from "./http1-errors.ts";
import { FAILED, INCOMPLETE } from "./http1-fields.ts";
import { FOLDED, Method, type MethodId, methodOf, nextNameHash } from "./http1-names.ts";
import { VersionScanner } from "./http1-version.ts";

/** How a request names its resource (RFC 9112 §3.2). */
export type TargetForm = "origin" | "absolute" | "authority" | "asterisk";

const FIRST_BYTE = 0;
const EMPTY_LINE_LF = 1;
const METHOD = 2;
const PATH = 3;
const QUERY = 4;
const VERSION = 5;
const LINE_CR = 6;
const LINE_LF = 7;

/** Longer than any registered method (IANA); RFC 9112 §3 wants 501 for longer ones. */
const MAX_METHOD_BYTES = 32;
const HTTP = encodeText("http");
const HTTPS = encodeText("https");

/** The first line of a request as offsets, scanned incrementally; one empty line before it is skipped (RFC 9112 §2.2). */
export class RequestLine {
  /** Offset of the method. */
  start = 0;
  /** Offset of the space after the method. */
  methodEnd = 0;
  method: MethodId = Method.OTHER;
  targetStart = 0;
  /** Offset of the space after the target. */
  targetEnd = 0;
  form: TargetForm = "origin";
  /** `host[:port]` of an absolute URL or of CONNECT; empty in the other forms. */
  authorityStart = 0;
  authorityEnd = 0;
  /** Path without query; empty when a URL has none and for CONNECT, `*` in the asterisk form. */
  pathStart = 0;
  pathEnd = 0;
  /** Offset after `?`; `targetEnd` when there is no query, and when it is empty. */
  queryStart = 0;
  /** 0 or 1: HTTP/1.0 or HTTP/1.1. */
  minorVersion = 1;
  /** Offset of the first header line. */
  end = 0;
  /** Set when {@link scan} answered FAILED. */
  error: Http1Error | undefined;

  readonly #maxUriBytes: number;
  readonly #version = new VersionScanner();
  #phase = FIRST_BYTE;
  #hash = 0;
  #questionMark = -1;

  /** @param maxUriBytes longer targets fail with 414. */
  constructor(maxUriBytes: number) {
    this.#maxUriBytes = maxUriBytes;
  }

  /** Whether the scan has not got past the target. */
  get isBeforeVersion(): boolean {
    return this.#phase < VERSION;
  }

  /** Forgets everything, for a request that starts at `start`. */
  reset(start: number): void {
    this.start = start;
    this.error = undefined;
    this.#phase = FIRST_BYTE;
    this.#hash = 0;
    this.#questionMark = -1;
  }

  /** Reads on at `from`; answers like `HeaderFields.scan`. */
  scan(bytes: Uint8Array, from: number, end: number): number {
    let at = from;
    if (this.#phase <= EMPTY_LINE_LF) at = this.#scanEmptyLine(bytes, at, end);
    if (at >= 0 && this.#phase === METHOD) at = this.#scanMethod(bytes, at, end);
    if (at >= 0 && this.#phase === PATH) at = this.#scanTarget(bytes, at, end, TARGET_PATH);
    if (at >= 0 && this.#phase === QUERY) at = this.#scanTarget(bytes, at, end, TARGET);
    if (at >= 0 && this.#phase === VERSION) at = this.#scanVersion(bytes, at, end);
    if (at >= 0 && this.#phase >= LINE_CR) at = this.#scanLineEnd(bytes, at, end);
    return at;
  }

  #scanEmptyLine(bytes: Uint8Array, from: number, end: number): number {
    let at = from;
    if (this.#phase === FIRST_BYTE) {
      if (at === end) return INCOMPLETE;
      this.#phase = METHOD;
      if (bytes[at] !== CR) return at;
      this.#phase = EMPTY_LINE_LF;
      at++;
    }
    if (at === end) return INCOMPLETE;
    if (bytes[at] !== LF) return this.#fail(http1Errors.bareCr);
    this.#phase = METHOD;
    this.start = at + 1;
    return at + 1;
  }

  #scanMethod(bytes: Uint8Array, from: number, end: number): number {
    let at = from;
    let hash = this.#hash;
    let folded = 0;
    const limit = Math.min(end, this.start + MAX_METHOD_BYTES + 1);
    while (at < limit && (folded = FOLDED[bytes[at] as number] as number) !== 0) {
      hash = nextNameHash(hash, folded);
      at++;
    }
    this.#hash = hash;
    if (at - this.start > MAX_METHOD_BYTES) return this.#fail(http1Errors.methodTooLong);
    if (at === end) return INCOMPLETE;
    if (bytes[at] !== SP || at === this.start) return this.#fail(http1Errors.method);
    this.methodEnd = at;
    this.method = methodOf(bytes, this.start, at, hash);
    this.targetStart = at + 1;
    this.#phase = PATH;
    return at + 1;
  }

  #scanTarget(bytes: Uint8Array, from: number, end: number, allowed: Uint8Array): number {
    let at = from;
    const limit = Math.min(end, this.targetStart + this.#maxUriBytes + 1);
    while (at < limit && allowed[bytes[at] as number] === 1) at++;
    if (at - this.targetStart > this.#maxUriBytes) return this.#fail(http1Errors.targetTooLong);
    if (at === end) return INCOMPLETE;
    const byte = bytes[at];
    if (byte === QUESTION_MARK) {
      this.#questionMark = at;
      this.#phase = QUERY;
      return at + 1;
    }
    if (byte !== SP || at === this.targetStart) return this.#fail(http1Errors.target);
    this.targetEnd = at;
    this.#phase = VERSION;
    this.#version.reset();
    return this.#divideTarget(bytes) ? at + 1 : FAILED;
  }

  /** Tells apart the four forms and finds their parts. */
  #divideTarget(bytes: Uint8Array): boolean {
    const { targetStart, targetEnd } = this;
    const first = bytes[targetStart];
    this.authorityStart = this.authorityEnd = targetStart;
    this.pathStart = targetStart;
    this.pathEnd = this.#questionMark < 0 ? targetEnd : this.#questionMark;
    this.queryStart = this.#questionMark < 0 ? targetEnd : this.#questionMark + 1;
    if (this.method === Method.CONNECT) return this.#setAuthorityForm(bytes);
    if (first === SLASH) {
      this.form = "origin";
      return true;
    }
    if (first === ASTERISK && targetEnd - targetStart === 1 && this.method === Method.OPTIONS) {
      this.form = "asterisk";
      return true;
    }
    return this.#setAbsoluteForm(bytes);
  }

  /** CONNECT names host and port, nothing else (RFC 9112 §3.2.3). */
  #setAuthorityForm(bytes: Uint8Array): boolean {
    this.form = "authority";
    this.authorityEnd = this.targetEnd;
    this.pathStart = this.pathEnd = this.queryStart = this.targetEnd;
    const colon = hostEnd(bytes, this.targetStart, this.targetEnd);
    if (colon >= 0 && colon < this.targetEnd) return true;
    this.error = http1Errors.targetForm;
    return false;
  }

  #setAbsoluteForm(bytes: Uint8Array): boolean {
    this.form = "absolute";
    const colon = this.#schemeEnd(bytes);
    if (colon < 0) {
      this.error = http1Errors.targetForm;
      return false;
    }
    this.authorityStart = colon + 3;
    let at = this.authorityStart;
    while (at < this.pathEnd && bytes[at] !== SLASH) at++;
    this.authorityEnd = at;
    this.pathStart = at;
    if (hostEnd(bytes, this.authorityStart, at) >= 0) return true;
    this.error = http1Errors.host;
    return false;
  }

  /** Offset of the colon in `http://` or `https://`, -1 for anything else. */
  #schemeEnd(bytes: Uint8Array): number {
    const start = this.targetStart;
    let colon = -1;
    if (equalsLower(bytes, start, start + 4, HTTP)) colon = start + 4;
    if (equalsLower(bytes, start, start + 5, HTTPS)) colon = start + 5;
    const isUrl = colon > 0 && colon + 3 <= this.pathEnd && bytes[colon] === 0x3a;
    return isUrl && bytes[colon + 1] === SLASH && bytes[colon + 2] === SLASH ? colon : -1;
  }

  #scanVersion(bytes: Uint8Array, from: number, end: number): number {
    const at = this.#version.scan(bytes, from, end);
    if (at === FAILED) return this.#fail(this.#version.error);
    if (at >= 0) this.#phase = LINE_CR;
    return at;
  }

  #scanLineEnd(bytes: Uint8Array, from: number, end: number): number {
    let at = from;
    if (this.#phase === LINE_CR) {
      if (at === end) return INCOMPLETE;
      if (bytes[at] !== CR) return this.#fail(bytes[at] === LF ? http1Errors.bareLf : http1Errors.startLine);
      this.#phase = LINE_LF;
      at++;
    }
    if (at === end) return INCOMPLETE;
    if (bytes[at] !== LF) return this.#fail(http1Errors.bareCr);
    this.minorVersion = this.#version.minor;
    this.end = at + 1;
    return at + 1;
  }

  #fail(error: Http1Error | undefined): number {
    this.error = error;
    return FAILED;
  }

  /** The same bytes lie `distance` further on now. */
  shift(distance: number): void {
    this.start += distance;
    this.methodEnd += distance;
    this.targetStart += distance;
    this.targetEnd += distance;
    this.authorityStart += distance;
    this.authorityEnd += distance;
    this.pathStart += distance;
    this.pathEnd += distance;
    this.queryStart += distance;
    this.end += distance;
    if (this.#questionMark >= 0) this.#questionMark += distance;
  }
}
