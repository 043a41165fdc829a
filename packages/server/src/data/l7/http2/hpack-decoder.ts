import { huffmanBound, huffmanDecode } from "./hpack-huffman.ts";
import { staticFields, type TableField } from "./hpack-static.ts";

/** Size of the dynamic table that a peer may use: the protocol's default, which we leave (RFC 9113 §6.5.2). */
const MAX_TABLE_BYTES = 4096;
/** What each entry counts beside its bytes (RFC 7541 §4.1). */
const ENTRY_OVERHEAD_BYTES = 32;
/** Integers beyond this stand for nothing that could be meant. */
const MAX_INTEGER = 0x0fff_ffff;

/** A range of some bytes. */
export interface ByteSlice {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** Takes the fields of a header block one after the other; both slices hold until it returns. */
export interface FieldSink {
  field(name: ByteSlice, value: ByteSlice): void;
}

class Slice implements ByteSlice {
  bytes: Uint8Array = EMPTY;
  start = 0;
  end = 0;

  set(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
  }

  get length(): number {
    return this.end - this.start;
  }
}

const EMPTY: Uint8Array = new Uint8Array(0);

/** Where Huffman code is decoded to, for all connections of a thread: one block is decoded at a time. */
let text: Uint8Array = Buffer.allocUnsafeSlow(32 * 1024);
const name = new Slice();
const value = new Slice();

/**
 * Decodes header blocks (RFC 7541) of one connection, with its dynamic table. What a block stands for is not limited
 * here: a few bytes may stand for a large field many times, and the sink must stop keeping them.
 */
export class HpackDecoder {
  /** The newest last. */
  readonly #table: TableField[] = [];
  #tableBytes = 0;
  #maxTableBytes = MAX_TABLE_BYTES;
  #bytes: Uint8Array = EMPTY;
  #at = 0;
  #end = 0;
  #textAt = 0;

  /** Bytes of memory in the dynamic table, overhead included. */
  get tableBytes(): number {
    return this.#tableBytes;
  }

  /**
   * Decodes a whole block.
   * @returns false when it is broken: the tables of both sides are no longer the same, and the connection must end
   * with COMPRESSION_ERROR.
   */
  decode(bytes: Uint8Array, start: number, end: number, sink: FieldSink): boolean {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    const isRead = this.#readSizes() && this.#readFields(sink);
    this.#bytes = EMPTY;
    return isRead;
  }

  /** Changes of the table's size stand before the first field (§4.2). */
  #readSizes(): boolean {
    while (this.#at < this.#end && ((this.#bytes[this.#at] as number) & 0xe0) === 0x20) {
      const size = this.#integer(0x1f);
      if (size < 0 || size > MAX_TABLE_BYTES) return false;
      this.#maxTableBytes = size;
      this.#evict(0);
    }
    return true;
  }

  #readFields(sink: FieldSink): boolean {
    while (this.#at < this.#end) {
      const first = this.#bytes[this.#at] as number;
      if (first >= 0x80) {
        if (!this.#readIndexed()) return false;
      } else if (first >= 0x40) {
        if (!this.#readLiteral(0x3f)) return false;
        this.#insert();
      } else if (first >= 0x20 || !this.#readLiteral(0x0f)) {
        return false;
      }
      sink.field(name, value);
    }
    return true;
  }

  #readIndexed(): boolean {
    const field = this.#lookUp(this.#integer(0x7f));
    if (field === undefined) return false;
    name.set(field.bytes, 0, field.nameLength);
    value.set(field.bytes, field.nameLength, field.bytes.length);
    return true;
  }

  #readLiteral(mask: number): boolean {
    const index = this.#integer(mask);
    this.#textAt = 0;
    if (index < 0) return false;
    if (index > 0) {
      const field = this.#lookUp(index);
      if (field === undefined) return false;
      name.set(field.bytes, 0, field.nameLength);
    } else if (!this.#string(name)) {
      return false;
    }
    return this.#string(value);
  }

  #lookUp(index: number): TableField | undefined {
    if (index <= staticFields.length) return staticFields[index - 1];
    return this.#table[this.#table.length - (index - staticFields.length)];
  }

  /** @returns -1 when it is cut off or too large. */
  #integer(mask: number): number {
    let result = (this.#bytes[this.#at++] as number) & mask;
    if (result < mask) return result;
    for (let shift = 0; shift < 28; shift += 7) {
      if (this.#at >= this.#end) return -1;
      const octet = this.#bytes[this.#at++] as number;
      result += (octet & 0x7f) << shift;
      if (octet < 0x80) return result <= MAX_INTEGER ? result : -1;
    }
    return -1;
  }

  #string(slice: Slice): boolean {
    if (this.#at >= this.#end) return false;
    const isHuffman = ((this.#bytes[this.#at] as number) & 0x80) !== 0;
    const length = this.#integer(0x7f);
    const start = this.#at;
    if (length < 0 || length > this.#end - start) return false;
    this.#at = start + length;
    if (!isHuffman) {
      slice.set(this.#bytes, start, this.#at);
      return true;
    }
    this.#reserve(huffmanBound(length));
    const end = huffmanDecode({ bytes: this.#bytes, start, end: this.#at }, text, this.#textAt);
    if (end < 0) return false;
    slice.set(text, this.#textAt, end);
    this.#textAt = end;
    return true;
  }

  /** A name that was decoded already stays where it is: its slice keeps the old memory. */
  #reserve(bytes: number): void {
    if (this.#textAt + bytes <= text.length) return;
    text = Buffer.allocUnsafeSlow(Math.max(bytes, 2 * text.length));
    this.#textAt = 0;
  }

  /** Enters the field just read into the table (§4.4: one that is larger than the table empties it). */
  #insert(): void {
    const length = name.length + value.length;
    this.#evict(length + ENTRY_OVERHEAD_BYTES);
    if (length + ENTRY_OVERHEAD_BYTES > this.#maxTableBytes) return;
    const bytes = new Uint8Array(length);
    bytes.set(name.bytes.subarray(name.start, name.end));
    bytes.set(value.bytes.subarray(value.start, value.end), name.length);
    this.#table.push({ bytes, nameLength: name.length });
    this.#tableBytes += length + ENTRY_OVERHEAD_BYTES;
  }

  /** Makes room for so many bytes. The name just read may be an evicted entry's: its memory stays with the slice. */
  #evict(needed: number): void {
    while (this.#table.length > 0 && this.#tableBytes + needed > this.#maxTableBytes) {
      const oldest = this.#table.shift() as TableField;
      this.#tableBytes -= oldest.bytes.length + ENTRY_OVERHEAD_BYTES;
    }
  }
}
