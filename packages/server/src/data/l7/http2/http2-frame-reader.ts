import { ByteStash } from "../byte-stash.ts";
import {
  FRAME_HEAD_BYTES,
  FrameFlag,
  FrameType,
  Http2ErrorCode,
  type Http2ErrorCodeId,
  MAX_FRAME_BYTES,
  PREFACE,
  readUint31,
} from "./http2-frame.ts";

/** Hears what a {@link Http2FrameReader} finds. */
export interface FrameSink {
  /** A whole frame that is not DATA. */
  frame(bytes: Uint8Array, start: number, end: number): void;
  /** A piece of a DATA frame's content, empty for an empty frame. */
  data(bytes: Uint8Array, start: number, end: number, isEnd: boolean): void;
  /** Bytes of DATA that count for flow control and are no content. */
  padding(bytes: number): void;
  /** What came is no HTTP/2. */
  failed(code: Http2ErrorCodeId): void;
}

const NOTHING = new Uint8Array(0);

/** Cuts what a client sends into frames. DATA is passed on as it comes, any other frame once it is whole. */
export class Http2FrameReader {
  /** Of the frame at hand. */
  type = 0;
  flags = 0;
  stream = 0;
  /** Nothing more is to be read. */
  isStopped = false;
  readonly #sink: FrameSink;
  readonly #stash = new ByteStash();
  #prefaceAt = 0;
  /** Of the DATA frame at hand: what is to come of its content, and of its padding. */
  #dataLeft = 0;
  #paddingLeft = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** The beginning of something has come that should soon be whole. */
  get isPartial(): boolean {
    return !this.#stash.isEmpty || this.#prefaceAt < PREFACE.length;
  }

  read(bytes: Uint8Array): void {
    const stash = this.#stash;
    if (stash.isEmpty) {
      const at = this.#readAll(bytes, 0, bytes.length);
      if (at < bytes.length && !this.isStopped) stash.append(bytes, at, bytes.length);
      return;
    }
    stash.append(bytes, 0, bytes.length);
    stash.consume(this.#readAll(stash.bytes, stash.start, stash.end));
  }

  /** @returns the offset after what was used. */
  #readAll(bytes: Uint8Array, start: number, end: number): number {
    let at = this.#readPreface(bytes, start, end);
    while (at < end && !this.isStopped) {
      if (this.#dataLeft > 0 || this.#paddingLeft > 0) {
        at = this.#readData(bytes, at, end);
        continue;
      }
      const next = this.#readFrame(bytes, at, end);
      if (next < 0) break;
      at = next;
    }
    return this.isStopped ? end : at;
  }

  #readPreface(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (this.#prefaceAt < PREFACE.length && at < end) {
      if (bytes[at++] !== PREFACE[this.#prefaceAt++]) {
        this.#sink.failed(Http2ErrorCode.PROTOCOL_ERROR);
        return end;
      }
    }
    return at;
  }

  /** @returns the offset after what was used; -1 when more must come first. */
  #readFrame(bytes: Uint8Array, at: number, end: number): number {
    if (end - at < FRAME_HEAD_BYTES) return -1;
    const length = ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
    this.type = bytes[at + 3] as number;
    this.flags = bytes[at + 4] as number;
    this.stream = readUint31(bytes, at + 5);
    if (length > MAX_FRAME_BYTES) {
      this.#sink.failed(Http2ErrorCode.FRAME_SIZE_ERROR);
      return end;
    }
    const start = at + FRAME_HEAD_BYTES;
    if (this.type === FrameType.DATA) return this.#startData(bytes, { start, end, length });
    if (end - start < length) return -1;
    this.#sink.frame(bytes, start, start + length);
    return start + length;
  }

  #startData(bytes: Uint8Array, { start, end, length }: { start: number; end: number; length: number }): number {
    const isPadded = (this.flags & FrameFlag.PADDED) !== 0;
    if (isPadded && start === end) return -1;
    const padding = isPadded && length > 0 ? (bytes[start] as number) : 0;
    if (isPadded && padding >= length) {
      this.#sink.failed(Http2ErrorCode.PROTOCOL_ERROR);
      return end;
    }
    const extra = isPadded ? 1 : 0;
    this.#dataLeft = length - padding - extra;
    this.#paddingLeft = padding;
    if (isPadded) this.#sink.padding(1);
    if (this.#dataLeft === 0 && !this.isStopped) this.#sink.data(NOTHING, 0, 0, this.#isEnd);
    return start + extra;
  }

  #readData(bytes: Uint8Array, at: number, end: number): number {
    if (this.#dataLeft > 0) {
      const taken = Math.min(this.#dataLeft, end - at);
      this.#dataLeft -= taken;
      this.#sink.data(bytes, at, at + taken, this.#dataLeft === 0 && this.#isEnd);
      return at + taken;
    }
    const taken = Math.min(this.#paddingLeft, end - at);
    this.#paddingLeft -= taken;
    this.#sink.padding(taken);
    return at + taken;
  }

  get #isEnd(): boolean {
    return (this.flags & FrameFlag.END_STREAM) !== 0;
  }
}
