import { CR, FIELD_VALUE, isDigit, LF, SP, ZERO } from "./http1-bytes.ts";
import { type Http1Error, http1Errors } from "./http1-errors.ts";
import { FAILED, INCOMPLETE } from "./http1-fields.ts";
import { VersionScanner } from "./http1-version.ts";

const VERSION = 0;
const SPACE = 1;
const CODE = 2;
const AFTER_CODE = 3;
const REASON = 4;
const LINE_LF = 5;

/** The first line of a response as offsets, scanned incrementally. */
export class StatusLine {
  /** Offset of the version. */
  start = 0;
  /** 100 to 999; what lies outside RFC 9110 §15 is passed on as it is. */
  status = 0;
  /** Text after the code, often empty. */
  reasonStart = 0;
  reasonEnd = 0;
  /** 0 or 1: HTTP/1.0 or HTTP/1.1. */
  minorVersion = 1;
  /** Offset of the first header line. */
  end = 0;
  /** Set when {@link scan} answered FAILED. */
  error: Http1Error | undefined;

  readonly #version = new VersionScanner();
  #phase = VERSION;
  #digits = 0;

  /** Forgets everything, for a response that starts at `start`. */
  reset(start: number): void {
    this.start = start;
    this.status = 0;
    this.error = undefined;
    this.#phase = VERSION;
    this.#digits = 0;
    this.#version.reset();
  }

  /** Reads on at `from`; answers like `HeaderFields.scan`. */
  scan(bytes: Uint8Array, from: number, end: number): number {
    let at = from;
    if (this.#phase === VERSION) at = this.#scanVersion(bytes, at, end);
    while (at >= 0 && at < end) {
      const byte = bytes[at] as number;
      if (this.#phase === LINE_LF) return this.#endLine(byte, at);
      at = this.#phase === REASON ? this.#scanReason(bytes, at, end) : this.#scanCode(byte, at);
    }
    return at < 0 ? at : INCOMPLETE;
  }

  #scanVersion(bytes: Uint8Array, from: number, end: number): number {
    const at = this.#version.scan(bytes, from, end);
    if (at === FAILED) return this.#fail(this.#version.error);
    if (at >= 0) this.#phase = SPACE;
    return at;
  }

  /** The space, three digits and the space after them, which many servers leave out when there is no reason. */
  #scanCode(byte: number, at: number): number {
    if (this.#phase === SPACE) {
      this.#phase = CODE;
      return byte === SP ? at + 1 : this.#fail(http1Errors.startLine);
    }
    if (this.#phase === CODE) {
      this.status = this.status * 10 + byte - ZERO;
      this.#digits++;
      if (!isDigit(byte) || this.status === 0) return this.#fail(http1Errors.startLine);
      if (this.#digits === 3) this.#phase = AFTER_CODE;
      return at + 1;
    }
    if (byte !== SP && byte !== CR) return this.#fail(byte === LF ? http1Errors.bareLf : http1Errors.startLine);
    this.#phase = REASON;
    this.reasonStart = byte === SP ? at + 1 : at;
    return this.reasonStart;
  }

  #scanReason(bytes: Uint8Array, from: number, end: number): number {
    let at = from;
    while (at < end && FIELD_VALUE[bytes[at] as number] === 1) at++;
    if (at === end) return at;
    if (bytes[at] !== CR) return this.#fail(bytes[at] === LF ? http1Errors.bareLf : http1Errors.startLine);
    this.reasonEnd = at;
    this.#phase = LINE_LF;
    return at + 1;
  }

  #endLine(byte: number, at: number): number {
    if (byte !== LF) return this.#fail(http1Errors.bareCr);
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
    this.reasonStart += distance;
    this.reasonEnd += distance;
    this.end += distance;
  }
}
