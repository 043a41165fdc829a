import { type Http1Error, http1Errors } from "./http1-errors.ts";
import { FAILED, type HeaderFields, INCOMPLETE } from "./http1-fields.ts";

/** The first line of a head, whichever: what {@link HeadScan} needs of it. */
export interface StartLine {
  readonly error: Http1Error | undefined;
  reset(start: number): void;
  scan(bytes: Uint8Array, from: number, end: number): number;
  shift(distance: number): void;
}

/** Scans a head, first line and headers, across any number of reads, and stops at its end or its largest size. */
export class HeadScan {
  /** Set when {@link scan} answered FAILED. */
  error: Http1Error | undefined;

  readonly #line: StartLine;
  readonly #fields: HeaderFields;
  readonly #maxBytes: number;
  #start = 0;
  #at = 0;
  #inLine = true;

  constructor(line: StartLine, fields: HeaderFields, maxBytes: number) {
    this.#line = line;
    this.#fields = fields;
    this.#maxBytes = maxBytes;
  }

  /** Whether a byte has come since the last {@link reset}. */
  get hasStarted(): boolean {
    return this.#at > this.#start;
  }

  /** Forgets everything, for the next message. */
  reset(): void {
    this.#fields.reset();
    this.error = undefined;
    this.#start = this.#at = 0;
    this.#inLine = true;
  }

  /** Answers the offset after the head, INCOMPLETE or FAILED; `bytes[start, end)` is everything that has come. */
  scan(bytes: Uint8Array, start: number, end: number): number {
    if (!this.hasStarted) this.#begin(start);
    else if (start !== this.#start) this.#shift(start - this.#start);
    const limit = Math.min(end, start + this.#maxBytes);
    let at = this.#at;
    if (this.#inLine) {
      at = this.#line.scan(bytes, at, limit);
      if (at === FAILED) this.error = this.#line.error;
      if (at >= 0) this.#inLine = false;
    }
    if (at >= 0) {
      at = this.#fields.scan(bytes, at, limit);
      if (at === FAILED) this.error = this.#fields.error;
    }
    this.#at = at >= 0 ? at : limit;
    if (at !== INCOMPLETE || limit - start < this.#maxBytes) return at;
    this.error = http1Errors.headTooLarge;
    return FAILED;
  }

  #begin(start: number): void {
    this.#start = this.#at = start;
    this.#line.reset(start);
  }

  /** Moves every offset to where the same bytes lie now. */
  #shift(distance: number): void {
    this.#start += distance;
    this.#at += distance;
    this.#line.shift(distance);
    this.#fields.shift(distance);
  }
}
