import { COMMA, equalsLower, isBlank, TOKEN_LOWER } from "./http1-bytes.ts";

/**
 * Walks the elements of a comma-separated list of tokens (RFC 9110 §5.6.1) without making strings:
 * `for (list.open(bytes, start, end); list.next(); ) …`. Empty elements are skipped.
 */
export class TokenList {
  /** The element that {@link next} found. */
  start = 0;
  end = 0;
  /** An element was no token; {@link next} has ended the walk there. */
  isMalformed = false;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #limit = 0;

  /** Starts a walk over the bytes of one header's value. */
  open(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes = bytes;
    this.#at = start;
    this.#limit = end;
    this.isMalformed = false;
  }

  /** Moves to the next element; false after the last one. */
  next(): boolean {
    const bytes = this.#bytes;
    const limit = this.#limit;
    let at = this.#at;
    while (at < limit && (bytes[at] === COMMA || isBlank(bytes[at] as number))) at++;
    this.start = at;
    while (at < limit && TOKEN_LOWER[bytes[at] as number] !== 0) at++;
    this.end = at;
    while (at < limit && isBlank(bytes[at] as number)) at++;
    this.#at = at;
    if (at < limit && bytes[at] !== COMMA) this.isMalformed = true;
    return !this.isMalformed && this.end > this.start;
  }

  /** Whether the element is the lower-case word, whatever its case. */
  is(word: Uint8Array): boolean {
    return equalsLower(this.#bytes, this.start, this.end, word);
  }
}
