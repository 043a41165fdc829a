import { ByteStash } from "../byte-stash.ts";
import { type FieldSink, HpackDecoder } from "./hpack-decoder.ts";
import { requestFeed } from "./http2-feed.ts";
import { type FrameSink, Http2FrameReader } from "./http2-frame-reader.ts";
import {
  FrameFlag,
  FrameType,
  Http2ErrorCode,
  type Http2ErrorCodeId,
  MAX_FRAME_BYTES,
  MAX_WINDOW_BYTES,
  readUint31,
  readUint32,
  Setting,
} from "./http2-frame.ts";
import { MAX_BLOCK_FRAMES, MAX_SETTINGS } from "./http2-limits.ts";
import type { Http2Stream } from "./http2-stream.ts";

/** A piece of a DATA frame's content. */
export interface DataPiece {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly isEnd: boolean;
}

/** What a client wants of its connection. */
export interface ReceiverOwner {
  streamOf(id: number): Http2Stream | undefined;
  /** A request begins. Answers where its fields go to. */
  openRequest(id: number): FieldSink;
  /** Its header block was read. */
  requestRead(id: number, isEnd: boolean): void;
  /** A request ends with trailers. Answers where they go to. */
  openTrailers(): FieldSink;
  trailersRead(stream: Http2Stream): void;
  /** `stream` undefined: it is closed already. */
  dataReceived(stream: Http2Stream | undefined, piece: DataPiece): void;
  /** Bytes of DATA have come that are no content. */
  paddingReceived(stream: Http2Stream | undefined, bytes: number): void;
  streamReset(stream: Http2Stream): void;
  /** The stream must end with that code. */
  streamFailed(id: number, stream: Http2Stream | undefined, code: Http2ErrorCodeId): void;
  /** `stream` undefined: the connection's. */
  windowGrew(stream: Http2Stream | undefined, bytes: number): void;
  initialWindow(bytes: number): void;
  settingsRead(): void;
  pinged(payload: Uint8Array, isAck: boolean): void;
  wentAway(): void;
  /** A frame that carries nothing of a request. @returns false when there are too many of them. */
  idleFrame(): boolean;
  /** Most bytes of a header block. */
  readonly maxBlockBytes: number;
  /** The connection must end with that code. */
  fail(code: Http2ErrorCodeId): void;
}

const PRIORITY_BYTES = 5;
const SETTING_BYTES = 6;
const PING_BYTES = 8;

const ignoredFields: FieldSink = { field() {} };

/** Reads a client's frames by the rules of RFC 9113 §6, and tells its owner what they mean. */
export class Http2Receiver implements FrameSink {
  /** The highest stream that the client has opened. */
  lastStream = 0;
  readonly #owner: ReceiverOwner;
  readonly #reader: Http2FrameReader;
  readonly #decoder = new HpackDecoder();
  #hasSettings = false;
  /** The header block that CONTINUATION goes on with. */
  #block: ByteStash | undefined;
  #blockStream = 0;
  #blockFrames = 0;
  #blockEnds = false;

  constructor(owner: ReceiverOwner) {
    this.#owner = owner;
    this.#reader = new Http2FrameReader(this);
  }

  /** Something has begun that should soon be whole: the preface, a header block, any frame but DATA. */
  get isPartial(): boolean {
    return this.#reader.isPartial || this.#block !== undefined;
  }

  read(bytes: Uint8Array): void {
    this.#reader.read(bytes);
    requestFeed.flush();
  }

  /** Nothing more is read. */
  stop(): void {
    this.#reader.isStopped = true;
    this.#block = undefined;
  }

  failed(code: Http2ErrorCodeId): void {
    requestFeed.flush();
    this.#owner.fail(code);
  }

  data(bytes: Uint8Array, start: number, end: number, isEnd: boolean): void {
    const id = this.#reader.stream;
    if (this.#block !== undefined || !this.#isKnown(id)) return this.failed(Http2ErrorCode.PROTOCOL_ERROR);
    const stream = this.#owner.streamOf(id);
    if (start === end && !isEnd && !this.#owner.idleFrame()) return;
    if (stream?.hasEnded === true) return this.failed(Http2ErrorCode.STREAM_CLOSED);
    this.#owner.dataReceived(stream, { bytes, start, end, isEnd });
  }

  padding(bytes: number): void {
    this.#owner.paddingReceived(this.#owner.streamOf(this.#reader.stream), bytes);
  }

  frame(bytes: Uint8Array, start: number, end: number): void {
    const { type } = this.#reader;
    const isBlockOpen = this.#block !== undefined;
    const isContinued = type === FrameType.CONTINUATION && this.#reader.stream === this.#blockStream;
    const isOutOfTurn = isBlockOpen ? !isContinued : type === FrameType.CONTINUATION;
    if (isOutOfTurn || (!this.#hasSettings && type !== FrameType.SETTINGS)) {
      return this.failed(Http2ErrorCode.PROTOCOL_ERROR);
    }
    if (type === FrameType.HEADERS) return this.#readHeaders(bytes, start, end);
    if (type === FrameType.CONTINUATION) return this.#continueBlock(bytes, start, end);
    // What is taken back at once is never looked at.
    if (type === FrameType.RST_STREAM) return this.#readReset(end - start);
    if (type === FrameType.WINDOW_UPDATE) return this.#readWindowUpdate(bytes, start, end);
    this.#readControl(bytes, start, end);
  }

  #readControl(bytes: Uint8Array, start: number, end: number): void {
    const { type, stream } = this.#reader;
    const length = end - start;
    if (!this.#owner.idleFrame()) return;
    if (type === FrameType.SETTINGS) return this.#readSettings(bytes, start, end);
    if (type === FrameType.PUSH_PROMISE) return this.failed(Http2ErrorCode.PROTOCOL_ERROR);
    if (type === FrameType.PING) {
      if (stream !== 0) return this.failed(Http2ErrorCode.PROTOCOL_ERROR);
      if (length !== PING_BYTES) return this.failed(Http2ErrorCode.FRAME_SIZE_ERROR);
      return this.#owner.pinged(bytes.subarray(start, end), (this.#reader.flags & FrameFlag.ACK) !== 0);
    }
    if (type === FrameType.GOAWAY) {
      if (stream !== 0) return this.failed(Http2ErrorCode.PROTOCOL_ERROR);
      if (length < 8) return this.failed(Http2ErrorCode.FRAME_SIZE_ERROR);
      return this.#owner.wentAway();
    }
    if (type !== FrameType.PRIORITY) return;
    if (stream === 0) return this.failed(Http2ErrorCode.PROTOCOL_ERROR);
    if (length !== PRIORITY_BYTES) {
      this.#owner.streamFailed(stream, this.#owner.streamOf(stream), Http2ErrorCode.FRAME_SIZE_ERROR);
    }
  }

  #readSettings(bytes: Uint8Array, start: number, end: number): void {
    const { flags, stream } = this.#reader;
    const isAck = (flags & FrameFlag.ACK) !== 0;
    if (stream !== 0) return this.failed(Http2ErrorCode.PROTOCOL_ERROR);
    if ((end - start) % SETTING_BYTES !== 0 || (isAck && end > start)) {
      return this.failed(Http2ErrorCode.FRAME_SIZE_ERROR);
    }
    if (isAck) return this.#hasSettings ? undefined : this.failed(Http2ErrorCode.PROTOCOL_ERROR);
    this.#hasSettings = true;
    if (end - start > MAX_SETTINGS * SETTING_BYTES) return this.failed(Http2ErrorCode.ENHANCE_YOUR_CALM);
    for (let at = start; at < end; at += SETTING_BYTES) {
      const id = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
      const error = this.#set(id, readUint32(bytes, at + 2));
      if (error !== undefined) return this.failed(error);
    }
    this.#owner.settingsRead();
  }

  /** What limits us is obeyed; no table is kept, nothing is pushed, and frames have the default size. */
  #set(id: number, value: number): Http2ErrorCodeId | undefined {
    if (id === Setting.ENABLE_PUSH) return value <= 1 ? undefined : Http2ErrorCode.PROTOCOL_ERROR;
    if (id === Setting.MAX_FRAME_SIZE) {
      return value >= MAX_FRAME_BYTES && value < 1 << 24 ? undefined : Http2ErrorCode.PROTOCOL_ERROR;
    }
    if (id !== Setting.INITIAL_WINDOW_SIZE) return undefined;
    if (value > MAX_WINDOW_BYTES) return Http2ErrorCode.FLOW_CONTROL_ERROR;
    this.#owner.initialWindow(value);
    return undefined;
  }

  #readWindowUpdate(bytes: Uint8Array, start: number, end: number): void {
    const id = this.#reader.stream;
    if (end - start !== 4) return this.failed(Http2ErrorCode.FRAME_SIZE_ERROR);
    if (id !== 0 && !this.#isKnown(id)) return this.failed(Http2ErrorCode.PROTOCOL_ERROR);
    const increment = readUint31(bytes, start);
    const stream = this.#owner.streamOf(id);
    if (increment > 0) {
      if (id === 0 || stream !== undefined) this.#owner.windowGrew(stream, increment);
    } else if (id === 0) this.failed(Http2ErrorCode.PROTOCOL_ERROR);
    else this.#owner.streamFailed(id, stream, Http2ErrorCode.PROTOCOL_ERROR);
  }

  #readReset(length: number): void {
    const id = this.#reader.stream;
    if (length !== 4) return this.failed(Http2ErrorCode.FRAME_SIZE_ERROR);
    if (!this.#isKnown(id)) return this.failed(Http2ErrorCode.PROTOCOL_ERROR);
    const stream = this.#owner.streamOf(id);
    if (stream !== undefined) this.#owner.streamReset(stream);
    else this.#owner.idleFrame();
  }

  #readHeaders(bytes: Uint8Array, start: number, end: number): void {
    const { flags, stream } = this.#reader;
    const hasPriority = (flags & FrameFlag.PRIORITY) !== 0;
    const isPadded = (flags & FrameFlag.PADDED) !== 0;
    const from = start + (isPadded ? 1 : 0) + (hasPriority ? PRIORITY_BYTES : 0);
    const to = end - (isPadded && end > start ? (bytes[start] as number) : 0);
    if (stream % 2 === 0 || to < from) return this.failed(Http2ErrorCode.PROTOCOL_ERROR);
    this.#blockEnds = (flags & FrameFlag.END_STREAM) !== 0;
    this.#blockStream = stream;
    if ((flags & FrameFlag.END_HEADERS) !== 0) return this.#readBlock(bytes, from, to);
    this.#blockFrames = 1;
    this.#block = new ByteStash();
    this.#block.append(bytes, from, to);
  }

  #continueBlock(bytes: Uint8Array, start: number, end: number): void {
    const block = this.#block as ByteStash;
    const isTooLarge = block.end - block.start + end - start > this.#owner.maxBlockBytes;
    if (isTooLarge || ++this.#blockFrames > MAX_BLOCK_FRAMES) return this.failed(Http2ErrorCode.ENHANCE_YOUR_CALM);
    block.append(bytes, start, end);
    if ((this.#reader.flags & FrameFlag.END_HEADERS) === 0) return;
    this.#block = undefined;
    this.#readBlock(block.bytes, block.start, block.end);
  }

  /** Every block is decoded, wanted or not: the table of the next ones depends on it. */
  #readBlock(bytes: Uint8Array, start: number, end: number): void {
    const id = this.#blockStream;
    const isEnd = this.#blockEnds;
    const stream = this.#owner.streamOf(id);
    if (stream?.hasEnded === true) return this.failed(Http2ErrorCode.STREAM_CLOSED);
    const isNew = id > this.lastStream;
    if (isNew) this.lastStream = id;
    else if (stream === undefined && !this.#owner.idleFrame()) return;
    let fields = ignoredFields;
    if (isNew) fields = this.#owner.openRequest(id);
    else if (stream !== undefined) fields = this.#owner.openTrailers();
    if (!this.#decoder.decode(bytes, start, end, fields)) return this.failed(Http2ErrorCode.COMPRESSION_ERROR);
    if (isNew) this.#owner.requestRead(id, isEnd);
    else if (stream === undefined) return;
    else if (isEnd) this.#owner.trailersRead(stream);
    else this.#owner.streamFailed(id, stream, Http2ErrorCode.PROTOCOL_ERROR);
  }

  /** Whether the client has opened that stream, now or earlier; we open none. */
  #isKnown(id: number): boolean {
    return id % 2 === 1 && id <= this.lastStream;
  }
}
