import { CR, DQUOTE, BACKSLASH, EQUALS, FIELD_VALUE, HEX_VALUE, LF, SEMICOLON, TOKEN_LOWER } from "./http1-bytes.ts";
import { type Http1Error, http1Errors } from "./http1-errors.ts";
import { FAILED, INCOMPLETE } from "./http1-fields.ts";
import { ByteRanges } from "./http1-ranges.ts";
import { TrailerScan } from "./http1-trailers.ts";

/** How much of a chunked body's wrapping is accepted. */
export interface ChunkLimits {
  /** Chunk extensions of the whole body; more fail with 400. */
  readonly maxExtensionBytes: number;
  /** Trailers; more fail with 431. */
  readonly maxTrailerBytes: number;
}

const SIZE = 0;
const EXTENSION_NAME = 1;
const EXTENSION_VALUE = 2;
const QUOTED = 3;
const QUOTED_PAIR = 4;
const AFTER_QUOTED = 5;
const SIZE_LF = 6;
const DATA = 7;
const DATA_CR = 8;
const DATA_LF = 9;
const TRAILERS = 10;

const MAX_SIZE_DIGITS = 16;

/**
 * Follows a chunked body (RFC 9112 §7.1) to its end over views of any size, and says which bytes to pass on: all but
 * chunk extensions, which are checked and dropped, and which are payload.
 */
export class ChunkedScan {
  /** Ranges to pass on as they are, of everything scanned since the owner last cleared it. */
  readonly forward = new ByteRanges();
  /** Ranges of content without its chunks, likewise. */
  readonly payload = new ByteRanges();
  /** Set when {@link scan} answered FAILED. */
  error: Http1Error | undefined;
  readonly #limits: ChunkLimits;
  readonly #trailers: TrailerScan;
  #phase = SIZE;
  #digits = 0;
  /** Size of the chunk, then what is left of it. */
  #left = 0;
  #extensionBytes = 0;
  #elementBytes = 0;

  constructor(limits: ChunkLimits) {
    this.#limits = limits;
    this.#trailers = new TrailerScan(limits.maxTrailerBytes);
  }

  reset(): void {
    this.error = undefined;
    this.#phase = SIZE;
    this.#digits = this.#left = this.#extensionBytes = 0;
    this.#trailers.reset();
  }

  /** Reads on at `from`, adding to {@link forward} and {@link payload}; answers like `HeaderFields.scan`. */
  scan(bytes: Uint8Array, from: number, end: number): number {
    let at = from;
    while (at < end) {
      const piece = at;
      if (this.#phase === TRAILERS) return this.#scanTrailers(bytes, at, end);
      if (this.#phase === DATA) {
        at = this.#takeData(at, end);
        this.payload.add(piece, at);
      } else if (!this.#step(bytes[at++] as number)) {
        return FAILED;
      }
      if (!this.#inExtension) this.forward.add(piece, at);
    }
    return INCOMPLETE;
  }

  /** The byte just read belongs to an extension, its `;` included. */
  get #inExtension(): boolean {
    return this.#phase >= EXTENSION_NAME && this.#phase <= AFTER_QUOTED;
  }

  #takeData(from: number, end: number): number {
    const taken = Math.min(this.#left, end - from);
    this.#left -= taken;
    if (this.#left === 0) this.#phase = DATA_CR;
    return from + taken;
  }

  #scanTrailers(bytes: Uint8Array, from: number, end: number): number {
    const at = this.#trailers.scan(bytes, from, end);
    if (at === FAILED) this.error = this.#trailers.error;
    else this.forward.add(from, at === INCOMPLETE ? end : at);
    return at;
  }

  #step(byte: number): boolean {
    switch (this.#phase) {
      case SIZE:
        return this.#stepSize(byte);
      case SIZE_LF:
        this.#phase = this.#left === 0 ? TRAILERS : DATA;
        return byte === LF || this.#fail(http1Errors.bareCr);
      case DATA_CR:
        this.#phase = DATA_LF;
        return byte === CR || this.#fail(http1Errors.chunkEnd);
      case DATA_LF:
        this.#phase = SIZE;
        this.#digits = 0;
        return byte === LF || this.#fail(http1Errors.chunkEnd);
      default:
        return this.#stepExtension(byte);
    }
  }

  #stepSize(byte: number): boolean {
    const digit = HEX_VALUE[byte] as number;
    if (digit < 16) {
      if (++this.#digits > MAX_SIZE_DIGITS) return this.#fail(http1Errors.chunkSize);
      this.#left = this.#left * 16 + digit;
      return this.#left <= Number.MAX_SAFE_INTEGER || this.#fail(http1Errors.chunkTooLarge);
    }
    if (this.#digits === 0) return this.#fail(http1Errors.chunkSize);
    if (byte === CR) this.#phase = SIZE_LF;
    else if (byte !== SEMICOLON) return this.#fail(byte === LF ? http1Errors.bareLf : http1Errors.chunkSize);
    else return this.#startExtension();
    return true;
  }

  /** `;name`, `;name=token` or `;name="quoted"` without white space (RFC 9112 §7.1.1). */
  #startExtension(): boolean {
    this.#phase = EXTENSION_NAME;
    this.#elementBytes = 0;
    return ++this.#extensionBytes <= this.#limits.maxExtensionBytes || this.#fail(http1Errors.chunkExtensions);
  }

  #stepExtension(byte: number): boolean {
    if (this.#phase === QUOTED || this.#phase === QUOTED_PAIR) {
      if (!this.#countExtension()) return false;
      return this.#stepQuoted(byte);
    }
    const isToken = TOKEN_LOWER[byte] !== 0 && this.#phase !== AFTER_QUOTED;
    if (isToken) {
      this.#elementBytes++;
      return this.#countExtension();
    }
    if (byte === DQUOTE && this.#phase === EXTENSION_VALUE && this.#elementBytes === 0) {
      this.#phase = QUOTED;
      return this.#countExtension();
    }
    return this.#endElement(byte);
  }

  #stepQuoted(byte: number): boolean {
    if (FIELD_VALUE[byte] !== 1) return this.#fail(http1Errors.chunkExtension);
    if (this.#phase === QUOTED_PAIR) this.#phase = QUOTED;
    else if (byte === BACKSLASH) this.#phase = QUOTED_PAIR;
    else if (byte === DQUOTE) this.#phase = AFTER_QUOTED;
    return true;
  }

  /** After a name, a token value or a quoted value. */
  #endElement(byte: number): boolean {
    const isEmpty = this.#elementBytes === 0 && this.#phase !== AFTER_QUOTED;
    if (isEmpty) return this.#fail(http1Errors.chunkExtension);
    if (byte === CR) {
      this.#phase = SIZE_LF;
      return true;
    }
    if (byte === SEMICOLON) return this.#startExtension();
    if (byte !== EQUALS || this.#phase !== EXTENSION_NAME) return this.#fail(http1Errors.chunkExtension);
    this.#phase = EXTENSION_VALUE;
    this.#elementBytes = 0;
    return this.#countExtension();
  }

  #countExtension(): boolean {
    return ++this.#extensionBytes <= this.#limits.maxExtensionBytes || this.#fail(http1Errors.chunkExtensions);
  }

  #fail(error: Http1Error): false {
    this.error = error;
    return false;
  }
}
