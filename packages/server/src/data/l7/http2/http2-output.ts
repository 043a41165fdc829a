import type { Connection } from "../../transport/transport.ts";
import type { HeaderFields } from "../http1-fields.ts";
import { HpackWriter } from "./hpack-encoder.ts";
import {
  FRAME_HEAD_BYTES,
  FrameFlag,
  FrameType,
  type Http2ErrorCodeId,
  MAX_FRAME_BYTES,
  writeUint32,
} from "./http2-frame.ts";

/** So much is gathered before it is written. */
const CAPACITY = 64 * 1024;
/** Buffers that wait for the next connection with something to say. */
const MAX_SPARE = 16;

const spare: Uint8Array[] = [];
const writer = new HpackWriter();

/** What a header block is made of. */
export interface BlockSource {
  /** Undefined in trailers. */
  readonly status: number | undefined;
  readonly bytes: Uint8Array;
  readonly fields: HeaderFields;
  /** Length of the HTTP/1 text that the fields stand in. */
  readonly textBytes: number;
}

/**
 * The frames that one connection sends, gathered until the end of the loop's turn: what many streams have to say leaves
 * in one write. Memory is held only while there is something to send.
 */
export class Http2Output {
  /** The client takes no more for now: nothing should be added that can wait. */
  isBlocked = false;
  readonly #connection: Connection;
  readonly #account: (bytes: number) => void;
  #bytes: Uint8Array | undefined;
  #at = 0;
  #hasDroppedTable = false;

  constructor(connection: Connection, account: (bytes: number) => void) {
    this.#connection = connection;
    this.#account = account;
  }

  get isEmpty(): boolean {
    return this.#at === 0;
  }

  /** Writes what was gathered. */
  flush(): void {
    const bytes = this.#bytes;
    if (bytes === undefined) return;
    if (this.#at > 0) {
      this.#account(this.#at);
      if (!this.#connection.write(bytes.subarray(0, this.#at))) this.isBlocked = true;
    }
    this.#at = 0;
    this.#bytes = undefined;
    if (spare.length < MAX_SPARE) spare.push(bytes);
  }

  /** DATA with bytes of `bytes[start, end)`, at most {@link MAX_FRAME_BYTES}. */
  data(stream: number, bytes: Uint8Array, { start, end, isEnd }: { start: number; end: number; isEnd: boolean }): void {
    const length = end - start;
    const out = this.#reserve(FRAME_HEAD_BYTES + length);
    this.#head(length, { type: FrameType.DATA, flags: isEnd ? FrameFlag.END_STREAM : 0, stream });
    out.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), this.#at);
    this.#at += length;
  }

  /** HEADERS, and CONTINUATION where the block is larger than a frame. */
  headers(stream: number, source: BlockSource, isEnd: boolean): void {
    const bound = HpackWriter.bound(source.textBytes, source.fields);
    const flags = isEnd ? FrameFlag.END_STREAM : 0;
    if (bound > MAX_FRAME_BYTES) return this.#longHeaders(stream, flags, encode(source, bound, this.#dropsTable()));
    const out = this.#reserve(FRAME_HEAD_BYTES + bound);
    const start = this.#at;
    writeBlock(source, out, start + FRAME_HEAD_BYTES, this.#dropsTable());
    this.#head(writer.at - start - FRAME_HEAD_BYTES, {
      type: FrameType.HEADERS,
      flags: flags | FrameFlag.END_HEADERS,
      stream,
    });
    this.#at = writer.at;
  }

  rstStream(stream: number, code: Http2ErrorCodeId): void {
    const out = this.#reserve(FRAME_HEAD_BYTES + 4);
    this.#head(4, { type: FrameType.RST_STREAM, flags: 0, stream });
    writeUint32(out, this.#at, code);
    this.#at += 4;
  }

  /** @param stream 0 = the connection's window. */
  windowUpdate(stream: number, bytes: number): void {
    const out = this.#reserve(FRAME_HEAD_BYTES + 4);
    this.#head(4, { type: FrameType.WINDOW_UPDATE, flags: 0, stream });
    writeUint32(out, this.#at, bytes);
    this.#at += 4;
  }

  settings(settings: readonly (readonly [id: number, value: number])[]): void {
    const out = this.#reserve(FRAME_HEAD_BYTES + settings.length * 6);
    this.#head(settings.length * 6, { type: FrameType.SETTINGS, flags: 0, stream: 0 });
    for (const [id, value] of settings) {
      out[this.#at] = 0;
      out[this.#at + 1] = id;
      writeUint32(out, this.#at + 2, value);
      this.#at += 6;
    }
  }

  settingsAck(): void {
    this.#reserve(FRAME_HEAD_BYTES);
    this.#head(0, { type: FrameType.SETTINGS, flags: FrameFlag.ACK, stream: 0 });
  }

  /** @param payload eight bytes. */
  ping(payload: Uint8Array, flags: number): void {
    const out = this.#reserve(FRAME_HEAD_BYTES + payload.length);
    this.#head(payload.length, { type: FrameType.PING, flags, stream: 0 });
    out.set(payload, this.#at);
    this.#at += payload.length;
  }

  goaway(lastStream: number, code: Http2ErrorCodeId): void {
    const out = this.#reserve(FRAME_HEAD_BYTES + 8);
    this.#head(8, { type: FrameType.GOAWAY, flags: 0, stream: 0 });
    writeUint32(out, this.#at, lastStream);
    writeUint32(out, this.#at + 4, code);
    this.#at += 8;
  }

  #longHeaders(stream: number, flags: number, block: Uint8Array): void {
    for (let start = 0; start < block.length; start += MAX_FRAME_BYTES) {
      const end = Math.min(block.length, start + MAX_FRAME_BYTES);
      const out = this.#reserve(FRAME_HEAD_BYTES + end - start);
      this.#head(end - start, {
        type: start === 0 ? FrameType.HEADERS : FrameType.CONTINUATION,
        flags: (start === 0 ? flags : 0) | (end === block.length ? FrameFlag.END_HEADERS : 0),
        stream,
      });
      out.set(block.subarray(start, end), this.#at);
      this.#at += end - start;
    }
  }

  /** True once. */
  #dropsTable(): boolean {
    const drops = !this.#hasDroppedTable;
    this.#hasDroppedTable = true;
    return drops;
  }

  #reserve(bytes: number): Uint8Array {
    if (this.#bytes !== undefined && this.#at + bytes > CAPACITY) this.flush();
    return (this.#bytes ??= spare.pop() ?? Buffer.allocUnsafeSlow(CAPACITY));
  }

  #head(length: number, { type, flags, stream }: { type: number; flags: number; stream: number }): void {
    const out = this.#bytes as Uint8Array;
    const at = this.#at;
    out[at] = length >> 16;
    out[at + 1] = length >> 8;
    out[at + 2] = length;
    out[at + 3] = type;
    out[at + 4] = flags;
    writeUint32(out, at + 5, stream);
    this.#at = at + FRAME_HEAD_BYTES;
  }
}

function writeBlock({ status, bytes, fields }: BlockSource, out: Uint8Array, at: number, dropsTable: boolean): void {
  writer.open(out, at);
  if (dropsTable) writer.dropTable();
  if (status !== undefined) writer.status(status);
  writer.fields(bytes, fields);
}

function encode(source: BlockSource, bound: number, dropsTable: boolean): Uint8Array {
  const out = Buffer.allocUnsafe(bound);
  writeBlock(source, out, 0, dropsTable);
  return out.subarray(0, writer.at);
}
