import { isClientCertificateName } from "./client-certificate.ts";
import { COLON, CR, FIELD_VALUE, isBlank, LF } from "./http1-bytes.ts";
import { type Http1Error, http1Errors } from "./http1-errors.ts";
import { FAILED, INCOMPLETE } from "./http1-fields.ts";
import { FOLDED, HeaderName, headerNameOf, nextNameHash, NOT_IN_TRAILERS } from "./http1-names.ts";

const LINE_START = 0;
const NAME = 1;
const VALUE = 2;
const LINE_LF = 3;
const LAST_LF = 4;

/** What is kept of a name: more than any that is refused has, or begins with. */
const NAME_BYTES = 64;

/**
 * Checks the trailers after the last chunk (RFC 9112 §7.1.2) as strictly as headers, keeping nothing of them but the name
 * of the line at hand. Fields that frame, route or authenticate are refused: a backend may merge trailers into headers.
 */
export class TrailerScan {
  /** Set when {@link scan} answered FAILED. */
  error: Http1Error | undefined;
  readonly #maxBytes: number;
  readonly #name = new Uint8Array(NAME_BYTES);
  #nameLength = 0;
  #hash = 0;
  #phase = LINE_START;
  #bytesRead = 0;

  /** @param maxBytes the final CR LF included; more fail with 431. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  reset(): void {
    this.error = undefined;
    this.#phase = LINE_START;
    this.#bytesRead = 0;
  }

  /** Answers the offset after the empty line, INCOMPLETE or FAILED. */
  scan(bytes: Uint8Array, from: number, end: number): number {
    for (let at = from; at < end; at++) {
      if (++this.#bytesRead > this.#maxBytes) return this.#fail(http1Errors.trailersTooLarge);
      const byte = bytes[at] as number;
      if (this.#phase === LAST_LF && byte === LF) return at + 1;
      const error = this.#step(byte);
      if (error !== undefined) return this.#fail(error);
    }
    return INCOMPLETE;
  }

  #step(byte: number): Http1Error | undefined {
    switch (this.#phase) {
      case LINE_START:
        return this.#startLine(byte);
      case NAME:
        return this.#stepName(byte);
      case VALUE:
        if (FIELD_VALUE[byte] === 1) return undefined;
        this.#phase = LINE_LF;
        if (byte === CR) return undefined;
        return byte === LF ? http1Errors.bareLf : http1Errors.value;
      default: {
        const isLine = this.#phase === LINE_LF;
        this.#phase = LINE_START;
        return isLine && byte === LF ? undefined : http1Errors.bareCr;
      }
    }
  }

  #startLine(byte: number): Http1Error | undefined {
    if (byte === CR) {
      this.#phase = LAST_LF;
      return undefined;
    }
    if (isBlank(byte)) return http1Errors.obsFold;
    if (byte === LF) return http1Errors.bareLf;
    if (byte === COLON) return http1Errors.name;
    this.#nameLength = this.#hash = 0;
    this.#phase = NAME;
    return this.#stepName(byte);
  }

  #stepName(byte: number): Http1Error | undefined {
    const folded = FOLDED[byte] as number;
    if (folded !== 0) {
      if (this.#nameLength < NAME_BYTES) this.#name[this.#nameLength] = byte;
      this.#nameLength++;
      this.#hash = nextNameHash(this.#hash, folded);
      return undefined;
    }
    if (byte !== COLON) return isBlank(byte) ? http1Errors.blankBeforeColon : http1Errors.name;
    this.#phase = VALUE;
    const end = Math.min(this.#nameLength, NAME_BYTES);
    const id = this.#nameLength > NAME_BYTES ? HeaderName.OTHER : headerNameOf(this.#name, 0, end, this.#hash);
    const isRefused = NOT_IN_TRAILERS[id] === 1 || isClientCertificateName(this.#name, 0, end);
    return isRefused ? http1Errors.trailer : undefined;
  }

  #fail(error: Http1Error): number {
    this.error = error;
    return FAILED;
  }
}
