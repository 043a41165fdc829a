import { COLON, CR, equalsLower, FIELD_VALUE, HTAB, isBlank, LF, SP } from "./http1-bytes.ts";
import { type Http1Error, http1Errors } from "./http1-errors.ts";
import { FOLDED, HEADER_NAME_COUNT, headerNameOf, type HeaderNameId, nextNameHash } from "./http1-names.ts";

/** Answer of a scanner that needs more bytes. */
export const INCOMPLETE = -1;
/** Answer of a scanner that has set its `error`. */
export const FAILED = -2;

/** Where a scanner stands inside a line. */
const LINE_START = 0;
const NAME = 1;
const VALUE_START = 2;
const VALUE = 3;
const LINE_LF = 4;
const LAST_LF = 5;

/** Answer of the quick way where it does not apply. */
const NOT_TAKEN = -3;

const STRIDE = 5;
/** Enough for most messages; the table doubles up to `maxHeaderCount`. */
const FIRST_CAPACITY = 24;
const NONE = -1;

/** What a byte that cannot stand at that place of a header means. */
const faultOfName = (byte: number, isEmpty: boolean): Http1Error => {
  if (isBlank(byte)) return http1Errors.blankBeforeColon;
  if (byte === CR) return http1Errors.noColon;
  if (byte === LF) return http1Errors.bareLf;
  return byte === COLON && !isEmpty ? http1Errors.noColon : http1Errors.name;
};

/**
 * The header lines of one head as offsets into its bytes, filled by an incremental scan that looks at each byte once.
 * Reused for one message after the other; nothing is allocated but when the table grows.
 */
export class HeaderFields {
  /** Headers found so far. */
  count = 0;
  /** Set when {@link scan} answered {@link FAILED}. */
  error: Http1Error | undefined;

  readonly #maxCount: number;
  #table = new Int32Array(FIRST_CAPACITY * STRIDE);
  /** Index of the first header of each known name. */
  readonly #first = new Int16Array(HEADER_NAME_COUNT).fill(NONE);
  #phase = LINE_START;
  #hash = 0;
  #nameStart = 0;
  #nameEnd = 0;
  #nameId: HeaderNameId = 0;
  #valueStart = 0;
  #valueEnd = 0;

  /** @param maxCount more headers fail with 431. */
  constructor(maxCount: number) {
    this.#maxCount = maxCount;
  }

  /** Forgets everything, for the next message. */
  reset(): void {
    this.count = 0;
    this.error = undefined;
    this.#phase = LINE_START;
    this.#first.fill(NONE);
  }

  /**
   * Reads on at `from`, where the last call stopped.
   * @returns the offset after the empty line, {@link FAILED}, or {@link INCOMPLETE}: then every byte up to `end` is used.
   */
  scan(bytes: Uint8Array, from: number, end: number): number {
    let at = from;
    while (at < end) {
      const next = this.#phase === LINE_START ? this.#takeLine(bytes, at, end) : NOT_TAKEN;
      if (next !== NOT_TAKEN) at = next;
      else if (this.#phase === LINE_START) at = this.#scanLineStart(bytes, at);
      else if (this.#phase === NAME) at = this.#scanName(bytes, at, end);
      else if (this.#phase === VALUE_START) at = this.#scanValueStart(bytes, at, end);
      else if (this.#phase === VALUE) at = this.#scanValue(bytes, at, end);
      else if (bytes[at] !== LF) at = this.#fail(http1Errors.bareCr);
      else if (this.#phase === LAST_LF) return at + 1;
      else at = this.#endLine(bytes, at);
      if (at < 0) return FAILED;
    }
    return INCOMPLETE;
  }

  /**
   * The quick way for a whole well-formed line, without the state that the careful way keeps between reads.
   * @returns the offset of the next line, or NOT_TAKEN for anything else, having changed nothing.
   */
  #takeLine(bytes: Uint8Array, from: number, end: number): number {
    let at = from;
    let hash = 0;
    let folded = 0;
    while (at < end && (folded = FOLDED[bytes[at] as number] as number) !== 0) {
      hash = nextNameHash(hash, folded);
      at++;
    }
    if (at === from || at === end || bytes[at] !== COLON) return NOT_TAKEN;
    const nameEnd = at++;
    while (at < end && isBlank(bytes[at] as number)) at++;
    const valueStart = at;
    while (at < end && FIELD_VALUE[bytes[at] as number] === 1) at++;
    if (at + 1 >= end || bytes[at] !== CR || bytes[at + 1] !== LF || this.count === this.#maxCount) return NOT_TAKEN;
    this.#nameStart = from;
    this.#nameEnd = nameEnd;
    this.#nameId = headerNameOf(bytes, from, nameEnd, hash);
    this.#valueStart = valueStart;
    this.#valueEnd = at;
    return this.#endLine(bytes, at + 1);
  }

  #scanLineStart(bytes: Uint8Array, at: number): number {
    const byte = bytes[at] as number;
    if (byte === CR) {
      this.#phase = LAST_LF;
      return at + 1;
    }
    if (byte === SP || byte === HTAB) return this.#fail(http1Errors.obsFold);
    if (byte === LF) return this.#fail(http1Errors.bareLf);
    if (this.count === this.#maxCount) return this.#fail(http1Errors.tooManyHeaders);
    this.#nameStart = at;
    this.#hash = 0;
    this.#phase = NAME;
    return at;
  }

  #scanName(bytes: Uint8Array, from: number, end: number): number {
    let at = from;
    let hash = this.#hash;
    let folded = 0;
    while (at < end && (folded = FOLDED[bytes[at] as number] as number) !== 0) {
      hash = nextNameHash(hash, folded);
      at++;
    }
    this.#hash = hash;
    if (at === end) return at;
    const byte = bytes[at] as number;
    if (byte !== COLON || at === this.#nameStart) return this.#fail(faultOfName(byte, at === this.#nameStart));
    this.#nameEnd = at;
    this.#nameId = headerNameOf(bytes, this.#nameStart, at, hash);
    this.#phase = VALUE_START;
    return at + 1;
  }

  #scanValueStart(bytes: Uint8Array, from: number, end: number): number {
    let at = from;
    while (at < end && isBlank(bytes[at] as number)) at++;
    if (at === end) return at;
    this.#valueStart = at;
    this.#phase = VALUE;
    return at;
  }

  #scanValue(bytes: Uint8Array, from: number, end: number): number {
    let at = from;
    while (at < end && FIELD_VALUE[bytes[at] as number] === 1) at++;
    if (at === end) return at;
    const byte = bytes[at];
    if (byte !== CR) return this.#fail(byte === LF ? http1Errors.bareLf : http1Errors.value);
    this.#valueEnd = at;
    this.#phase = LINE_LF;
    return at + 1;
  }

  /** Enters the header into the table, its value without the white space around it. */
  #endLine(bytes: Uint8Array, at: number): number {
    let valueEnd = this.#valueEnd;
    while (valueEnd > this.#valueStart && isBlank(bytes[valueEnd - 1] as number)) valueEnd--;
    const row = this.count * STRIDE;
    if (row === this.#table.length) this.#grow();
    const table = this.#table;
    table[row] = this.#nameStart;
    table[row + 1] = this.#nameEnd;
    table[row + 2] = this.#valueStart;
    table[row + 3] = valueEnd;
    table[row + 4] = this.#nameId;
    if (this.#first[this.#nameId] === NONE) this.#first[this.#nameId] = this.count;
    this.count++;
    this.#phase = LINE_START;
    return at + 1;
  }

  #grow(): void {
    const larger = new Int32Array(this.#table.length * 2);
    larger.set(this.#table);
    this.#table = larger;
  }

  #fail(error: Http1Error): number {
    this.error = error;
    return FAILED;
  }

  /** Offset of the first byte of the header's line. */
  nameStart(index: number): number {
    return this.#table[index * STRIDE] as number;
  }

  /** Offset of the colon. */
  nameEnd(index: number): number {
    return this.#table[index * STRIDE + 1] as number;
  }

  /** Offset of the value's first byte that is no white space. */
  valueStart(index: number): number {
    return this.#table[index * STRIDE + 2] as number;
  }

  /** Offset after the value's last byte that is no white space. */
  valueEnd(index: number): number {
    return this.#table[index * STRIDE + 3] as number;
  }

  /** Known name of the header. */
  nameId(index: number): HeaderNameId {
    return this.#table[index * STRIDE + 4] as HeaderNameId;
  }

  /** Index of the first header of a known name, -1 for none. */
  first(id: HeaderNameId): number {
    return this.#first[id] as number;
  }

  /** Whether a header of a known name is there. */
  has(id: HeaderNameId): boolean {
    return this.#first[id] !== NONE;
  }

  /** Index of the next header of a known name after `index`, -1 for none. */
  next(id: HeaderNameId, index: number): number {
    for (let i = index + 1; i < this.count; i++) {
      if (this.#table[i * STRIDE + 4] === id) return i;
    }
    return NONE;
  }

  /** Index of the next header of any name, given in lower case, after `index` (-1 for the first); -1 for none. */
  find(bytes: Uint8Array, lowerName: Uint8Array, index: number): number {
    for (let i = index + 1; i < this.count; i++) {
      if (equalsLower(bytes, this.nameStart(i), this.nameEnd(i), lowerName)) return i;
    }
    return NONE;
  }

  /** The same bytes lie `distance` further on now. */
  shift(distance: number): void {
    for (let i = 0; i < this.count * STRIDE; i++) {
      if (i % STRIDE !== STRIDE - 1) this.#table[i] = (this.#table[i] as number) + distance;
    }
    this.#nameStart += distance;
    this.#nameEnd += distance;
    this.#valueStart += distance;
    this.#valueEnd += distance;
  }
}
