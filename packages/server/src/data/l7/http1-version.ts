import { DOT, encodeText, isDigit, ZERO } from "./http1-bytes.ts";
import { type Http1Error, http1Errors } from "./http1-errors.ts";
import { FAILED, INCOMPLETE } from "./http1-fields.ts";

const PATTERN = encodeText("HTTP/0.0");
const MAJOR = 5;
const DOT_AT = 6;
const MINOR = 7;
const ONE = ZERO + 1;

/** Whether the whole version is there and one that is understood. */
function isHttp1(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start < PATTERN.length) return false;
  for (let i = 0; i < MAJOR; i++) {
    if (bytes[start + i] !== PATTERN[i]) return false;
  }
  const minor = bytes[start + MINOR] as number;
  return bytes[start + MAJOR] === ONE && bytes[start + DOT_AT] === DOT && (minor === ZERO || minor === ONE);
}

/** Reads `HTTP/1.0` or `HTTP/1.1`, byte by byte (RFC 9112 §2.3). */
export class VersionScanner {
  /** 0 or 1. */
  minor = 0;
  /** Set when {@link scan} answered FAILED. */
  error: Http1Error | undefined;
  #read = 0;
  #major = 0;

  reset(): void {
    this.error = undefined;
    this.#read = 0;
  }

  /** Answers the offset after the version, INCOMPLETE or FAILED. */
  scan(bytes: Uint8Array, from: number, end: number): number {
    let at = from;
    if (this.#read === 0 && isHttp1(bytes, from, end)) {
      this.minor = (bytes[from + MINOR] as number) - ZERO;
      return from + PATTERN.length;
    }
    for (; this.#read < PATTERN.length; this.#read++, at++) {
      if (at >= end) return INCOMPLETE;
      if (!this.#accepts(bytes[at] as number)) return FAILED;
    }
    return at;
  }

  #accepts(byte: number): boolean {
    const isDigitsPlace = this.#read === MAJOR || this.#read === MINOR;
    if (isDigitsPlace ? !isDigit(byte) : byte !== PATTERN[this.#read]) return this.#fail(http1Errors.startLine);
    if (this.#read === MAJOR) this.#major = byte - ZERO;
    if (this.#read !== MINOR) return true;
    this.minor = byte - ZERO;
    return this.#major === 1 && this.minor <= 1 ? true : this.#fail(http1Errors.version);
  }

  #fail(error: Http1Error): false {
    this.error = error;
    return false;
  }
}
