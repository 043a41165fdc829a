import { TOKEN_LOWER, ZERO } from "../http1-bytes.ts";
import type { HeaderFields } from "../http1-fields.ts";
import { HEADER_NAME_COUNT, HeaderName, HOP_BY_HOP } from "../http1-names.ts";
import { staticFields, staticIndexOf } from "./hpack-static.ts";

/** Representations (RFC 7541 §6): the bits before an index. */
const INDEXED = 0x80;
const WITHOUT_INDEXING = 0x00;
/** For what nobody on the way should keep either (§7.1.3). */
const NEVER_INDEXED = 0x10;
/** A change of the table's size to 0. */
const NO_TABLE = 0x20;

/** More than an index and two lengths take. */
const FIELD_OVERHEAD_BYTES = 12;
/** `:status` and the change of the table's size. */
const FIXED_BYTES = 16;

const STATUS = staticIndexOf(":status");
/** Index of the whole `:status` field by code; 0 = has to be spelled. */
const statusIndex = new Uint8Array(1000);
for (const [i, { bytes, nameLength }] of staticFields.entries()) {
  const text = Buffer.from(bytes).toString("latin1");
  if (nameLength === 7 && text.startsWith(":status")) statusIndex[Number(text.slice(7))] = i + 1;
}

/** Index of the static field with the name of each known header; 0 = has to be spelled. */
const nameIndex = new Uint8Array(HEADER_NAME_COUNT);
for (const [name, id] of Object.entries(HeaderName)) {
  nameIndex[id] = staticIndexOf(name.toLowerCase().replaceAll("_", "-"));
}

/** Writes header blocks (RFC 7541) into memory that its user has made room in. */
export class HpackWriter {
  #out: Uint8Array = new Uint8Array(0);
  /** Offset of the next byte. */
  at = 0;

  /** Most bytes that a block of these fields takes, which come from `headBytes` bytes of an HTTP/1 head. */
  static bound(headBytes: number, fields: HeaderFields): number {
    return headBytes + fields.count * FIELD_OVERHEAD_BYTES + FIXED_BYTES;
  }

  /** Starts at an offset of a buffer. */
  open(out: Uint8Array, at: number): void {
    this.#out = out;
    this.at = at;
  }

  /**
   * Says that no dynamic table is kept, whatever size the peer allows: its whole content would be known to everybody
   * who can measure sizes (§7.1), and heads of different backends have little in common. Once, in a connection's first
   * block.
   */
  dropTable(): void {
    this.#out[this.at++] = NO_TABLE;
  }

  status(status: number): void {
    const index = statusIndex[status] as number;
    if (index > 0) {
      this.#out[this.at++] = INDEXED | index;
      return;
    }
    this.#integer(WITHOUT_INDEXING, 0x0f, STATUS);
    this.#out[this.at++] = 3;
    for (const unit of [100, 10, 1]) this.#out[this.at++] = ZERO + (Math.floor(status / unit) % 10);
  }

  /** All fields but those of an HTTP/1 connection, names in lower case (RFC 9113 §8.2.2). */
  fields(bytes: Uint8Array, fields: HeaderFields): void {
    for (let i = 0; i < fields.count; i++) {
      const id = fields.nameId(i);
      if (HOP_BY_HOP[id] === 1 || id === HeaderName.TRANSFER_ENCODING) continue;
      const first = id === HeaderName.SET_COOKIE ? NEVER_INDEXED : WITHOUT_INDEXING;
      const index = nameIndex[id] as number;
      this.#integer(first, 0x0f, index);
      if (index === 0) this.#name(bytes, fields.nameStart(i), fields.nameEnd(i));
      this.#string(bytes, fields.valueStart(i), fields.valueEnd(i));
    }
  }

  #integer(first: number, mask: number, value: number): void {
    const out = this.#out;
    if (value < mask) {
      out[this.at++] = first | value;
      return;
    }
    out[this.at++] = first | mask;
    let rest = value - mask;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) out[this.at++] = (rest & 0x7f) | 0x80;
    out[this.at++] = rest;
  }

  #name(bytes: Uint8Array, start: number, end: number): void {
    this.#integer(0, 0x7f, end - start);
    const out = this.#out;
    let { at } = this;
    for (let i = start; i < end; i++) out[at++] = TOKEN_LOWER[bytes[i] as number] as number;
    this.at = at;
  }

  #string(bytes: Uint8Array, start: number, end: number): void {
    this.#integer(0, 0x7f, end - start);
    const out = this.#out;
    let { at } = this;
    for (let i = start; i < end; i++) out[at++] = bytes[i] as number;
    this.at = at;
  }
}
