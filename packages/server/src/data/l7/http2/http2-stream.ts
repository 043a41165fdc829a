import type { Connection, ConnectionHandlers, ProxiedEndpoints, TlsFacts } from "../../transport/transport.ts";
import { noHandlers } from "../../transport/transport.ts";
import { ByteStash } from "../byte-stash.ts";
import { encodeText } from "../http1-bytes.ts";
import { CHUNK_END, LAST_CHUNK, MAX_CHUNK_SIZE_BYTES, writeChunkSize } from "../http1-chunk-writer.ts";
import { HeaderFields } from "../http1-fields.ts";
import type { ResponseHead } from "../http1-head.ts";
import type { Http1Session } from "../http1-session.ts";
import type { ByteSlice } from "./hpack-decoder.ts";
import { type FeedTarget, requestFeed } from "./http2-feed.ts";
import { Http2ErrorCode, type Http2ErrorCodeId, MAX_FRAME_BYTES } from "./http2-frame.ts";
import type { Http2Output } from "./http2-output.ts";
import type { RequestBody } from "./http2-request.ts";
import { Http2ResponseReader, type ResponseSink } from "./http2-response.ts";
import type { SendingStream, SendQueue } from "./http2-send-queue.ts";

/** What a stream needs of its connection. */
export interface StreamOwner {
  readonly connection: Connection;
  readonly output: Http2Output;
  readonly sends: SendQueue;
  /** Calls `settle` of the stream once nothing of it is on the stack any more. */
  defer(stream: Http2Stream): void;
  /** Frames were written: they leave at the end of the turn. */
  wrote(): void;
  /** Bytes of DATA were used; `stream` undefined = they belong to none any more. */
  consumed(bytes: number, stream: Http2Stream | undefined): void;
  /** Neither side sends on that stream any more; its session may still have to end. */
  closed(stream: Http2Stream): void;
  /** The session awaits another request. */
  recycle(stream: Http2Stream): void;
}

const LAST_CHUNK_HEAD = encodeText("0\r\n");
const NOTHING = new Uint8Array(0);
const chunkSize = new Uint8Array(MAX_CHUNK_SIZE_BYTES);

/** Trailers that wait for the content before them to be sent. */
interface WaitingTrailers {
  readonly bytes: Uint8Array;
  readonly fields: HeaderFields;
}

/**
 * One stream of HTTP/2, to its session a client's connection of its own: the request is fed as HTTP/1.1, and what the
 * session writes goes out as HEADERS and DATA. Carries one stream after the other, as a connection does requests.
 */
export class Http2Stream implements Connection, FeedTarget, ResponseSink, SendingStream {
  handlers: ConnectionHandlers = noHandlers;
  /** Set right after it was made. */
  session!: Http1Session;
  id = 0;
  /** What the client takes on this stream. */
  sendWindow = 0;
  /** What we take on this stream. */
  receiveWindow = 0;
  /** Used bytes that the client has not been told of. */
  unannounced = 0;
  /** What the client may send ahead in all. */
  windowBytes = 0;
  /** The session did not read for a while since the client was last told of used bytes. */
  hasStalled = false;
  /** Stands in the queue of those that wait to send. */
  isQueued = false;
  /** The client has sent everything. */
  hasEnded = false;
  readonly #owner: StreamOwner;
  readonly #reader = new Http2ResponseReader();
  #body: RequestBody = "none";
  /** Of a body whose length is known. */
  #left = 0;
  #isPaused = false;
  /** The request, as far as the session does not take it for now, and how much of that counts for flow control. */
  #stash: ByteStash | undefined;
  #stashedFlow = 0;
  /** The response, as far as the client does not take it for now. */
  #pending: ByteStash | undefined;
  #trailers: WaitingTrailers | undefined;
  #hasBegun = false;
  /** Nothing is sent any more: END_STREAM or RST_STREAM has been. */
  #isClosed = true;
  #isBlocked = false;
  /** The response is sent, and the session awaits another request. */
  #goesOn = false;
  #mustDrain = false;
  #mustClose = false;
  #isDeferred = false;

  constructor(owner: StreamOwner) {
    this.#owner = owner;
  }

  get proxied(): ProxiedEndpoints | undefined {
    return this.#owner.connection.proxied;
  }

  get remoteAddress(): string {
    return this.#owner.connection.remoteAddress;
  }

  get remotePort(): number {
    return this.#owner.connection.remotePort;
  }

  get localAddress(): string {
    return this.#owner.connection.localAddress;
  }

  get localPort(): number {
    return this.#owner.connection.localPort;
  }

  get tls(): TlsFacts | undefined {
    return this.#owner.connection.tls;
  }

  get pendingBytes(): number {
    const pending = this.#pending;
    return pending === undefined ? 0 : pending.end - pending.start;
  }

  /** Another request may be fed. */
  get isReusable(): boolean {
    return this.#goesOn && !this.#mustClose;
  }

  /** The response has not begun. */
  get isUnanswered(): boolean {
    return !this.#hasBegun;
  }

  /** A new request, whose head is `head`. */
  begin(
    id: number,
    head: ByteSlice,
    request: { body: RequestBody; contentLength: number; isHeadMethod: boolean },
  ): void {
    this.id = id;
    this.#body = request.body;
    this.#left = request.contentLength;
    this.unannounced = 0;
    this.hasStalled = false;
    this.#isClosed = this.#hasBegun = this.#isBlocked = this.#goesOn = this.hasEnded = false;
    this.#reader.begin(request.isHeadMethod);
    requestFeed.put(this, head.bytes, head.start, head.end);
  }

  /** The request has no body, or it has come whole. */
  end(): void {
    this.hasEnded = true;
  }

  /**
   * More of the request's body, all of which counts for flow control.
   * @returns false when it is not as long as the request had said.
   */
  receive(bytes: Uint8Array, start: number, end: number, isEnd: boolean): boolean {
    const length = end - start;
    if (this.#body !== "chunked") {
      this.#left = Math.max(0, this.#left) - length;
      if (this.#left < 0 || (isEnd && this.#left > 0)) return false;
    }
    this.hasEnded = isEnd;
    if (length > 0) {
      if (this.#body === "chunked") requestFeed.put(this, chunkSize, 0, writeChunkSize(length, chunkSize, 0));
      requestFeed.put(this, bytes, start, end);
      requestFeed.addFlow(length);
      if (this.#body === "chunked") requestFeed.put(this, CHUNK_END, 0, CHUNK_END.length);
    }
    if (isEnd && this.#body === "chunked") requestFeed.put(this, LAST_CHUNK, 0, LAST_CHUNK.length);
    return true;
  }

  /** The request's trailers, which end it. Only chunks can carry them; with a length they are dropped. */
  receiveTrailers({ bytes, start, end }: ByteSlice): boolean {
    this.hasEnded = true;
    if (this.#body !== "chunked") return this.#left <= 0;
    requestFeed.put(this, LAST_CHUNK_HEAD, 0, LAST_CHUNK_HEAD.length);
    requestFeed.put(this, bytes, start, end);
    requestFeed.put(this, CHUNK_END, 0, CHUNK_END.length);
    return true;
  }

  /** For the feed: what has come of the request. It waits while the session does not read. */
  feed(bytes: Uint8Array, flowBytes: number): void {
    if (this.#isPaused || this.#stash !== undefined) {
      (this.#stash ??= new ByteStash()).append(bytes, 0, bytes.length);
      this.#stashedFlow += flowBytes;
      return;
    }
    this.handlers.onData(this, bytes);
    this.#owner.consumed(flowBytes, this.#isClosed ? undefined : this);
  }

  write(bytes: Uint8Array): boolean {
    if (this.#isClosed) return true;
    this.#reader.read(bytes, this);
    this.#owner.wrote();
    if (this.#isClosed || (this.#pending === undefined && !this.#owner.output.isBlocked)) return true;
    this.#isBlocked = true;
    return false;
  }

  pause(): void {
    this.#isPaused = this.hasStalled = true;
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#stash !== undefined) this.#defer();
  }

  /** The session has written its last byte, and only waits for the end. */
  shutdown(): void {
    if (!this.#reader.isDone) return this.reset();
    this.#mustClose = true;
    if (this.#isClosed) this.#defer();
  }

  close(): void {
    this.shutdown();
  }

  /** The response is cut: it must not look whole. */
  reset(): void {
    this.#abandon(Http2ErrorCode.INTERNAL_ERROR);
    this.#mustClose = true;
    this.#defer();
  }

  toDuplex(): never {
    throw new Error("Cannot make a stream of Node of a stream of HTTP/2: it carries HTTP/1.1 only");
  }

  /** The stream is over, from outside: by the client, with the connection, or because of what the client sent. */
  abort(): void {
    this.#dropRequest();
    this.#pending = this.#trailers = undefined;
    this.#isClosed = true;
    this.#mustClose = this.#mustDrain = this.#goesOn = false;
    const { handlers } = this;
    this.handlers = noHandlers;
    handlers.onClose(this, undefined);
  }

  /** What was put off, now that nothing of this stream is on the stack. */
  settle(): void {
    this.#isDeferred = false;
    if (this.#mustClose && this.#isClosed) return this.abort();
    if (this.#mustDrain) {
      this.#mustDrain = this.#isBlocked = false;
      this.handlers.onDrain(this);
      if (this.#goesOn && !this.#isBlocked) this.#owner.recycle(this);
    }
    const stash = this.#stash;
    if (this.#isPaused || stash === undefined) return;
    const flow = this.#stashedFlow;
    this.#stash = undefined;
    this.#stashedFlow = 0;
    this.feed(stash.bytes.subarray(stash.start, stash.end), flow);
  }

  /** The connection takes bytes again. */
  connectionDrained(): void {
    if (this.#isBlocked && this.#pending === undefined) this.#drained();
  }

  /** The client's initial window has changed. */
  moveWindow(bytes: number): void {
    this.sendWindow += bytes;
    this.offer();
  }

  /** Takes a place in the queue if there is something that could be sent. */
  offer(): void {
    if (this.sendWindow > 0 && this.#pending !== undefined) this.#owner.sends.add(this);
  }

  /** The stream's turn: one frame of what waits. */
  sendPending(): void {
    const pending = this.#pending;
    if (pending === undefined || this.#isClosed) return;
    const { start } = pending;
    const end = Math.min(pending.end, start + this.#allowed());
    if (end > start) {
      const isEnd = end === pending.end && this.#reader.isDone && this.#trailers === undefined;
      this.#sendFrame(pending.bytes, { start, end, isEnd });
      pending.consume(end);
      if (pending.isEmpty) this.#pendingSent(isEnd);
    }
    this.offer();
  }

  responseHead(head: ResponseHead, isEnd: boolean): void {
    const { status } = head.line;
    if (status >= 200) this.#hasBegun = true;
    const textBytes = head.end - head.line.start;
    this.#owner.output.headers(this.id, { status, bytes: head.bytes, fields: head.fields, textBytes }, isEnd);
    if (isEnd) this.#finish();
  }

  responseData(bytes: Uint8Array, start: number, end: number, isEnd: boolean): void {
    let at = start;
    if (this.#pending === undefined && !this.#owner.sends.isContended && !this.#owner.output.isBlocked) {
      for (let size = 1; at < end && size > 0; at += size) {
        size = Math.min(end - at, this.#allowed());
        if (size > 0) this.#sendFrame(bytes, { start: at, end: at + size, isEnd: isEnd && at + size === end });
      }
    }
    if (at < end) {
      (this.#pending ??= new ByteStash()).append(bytes, at, end);
      this.offer();
    } else if (isEnd && this.#pending === undefined) {
      // Content that ends without a last piece: an empty frame says so, which no window holds back.
      if (start === end) this.#owner.output.data(this.id, NOTHING, { start: 0, end: 0, isEnd: true });
      this.#finish();
    }
  }

  responseTrailers(bytes: Uint8Array, fields: HeaderFields): void {
    if (this.#pending === undefined) return this.#sendTrailers(bytes, fields);
    const kept = new HeaderFields(fields.count);
    const copy = Buffer.from(bytes);
    kept.scan(copy, fields.nameStart(0), copy.length);
    this.#trailers = { bytes: copy, fields: kept };
  }

  responseBroken(): void {
    this.reset();
  }

  #sendTrailers(bytes: Uint8Array, fields: HeaderFields): void {
    const textBytes = bytes.length;
    this.#owner.output.headers(this.id, { status: undefined, bytes, fields, textBytes }, true);
    this.#finish();
  }

  /** What may go out in one frame. */
  #allowed(): number {
    return Math.max(0, Math.min(this.sendWindow, this.#owner.sends.window, MAX_FRAME_BYTES));
  }

  #sendFrame(bytes: Uint8Array, piece: { start: number; end: number; isEnd: boolean }): void {
    const length = piece.end - piece.start;
    this.sendWindow -= length;
    this.#owner.sends.window -= length;
    this.#owner.output.data(this.id, bytes, piece);
  }

  #pendingSent(isEnd: boolean): void {
    this.#pending = undefined;
    const trailers = this.#trailers;
    this.#trailers = undefined;
    if (trailers !== undefined) this.#sendTrailers(trailers.bytes, trailers.fields);
    else if (isEnd) this.#finish();
    if (this.#isBlocked) this.#drained();
  }

  #drained(): void {
    this.#mustDrain = true;
    this.#defer();
  }

  /** END_STREAM was sent. */
  #finish(): void {
    this.#isClosed = true;
    // Nobody reads the rest of the request; the response is whole (RFC 9113 §8.1).
    if (!this.hasEnded) this.#owner.output.rstStream(this.id, Http2ErrorCode.NO_ERROR);
    this.#goesOn = this.hasEnded && this.#reader.isPersistent && this.#stash === undefined;
    this.#dropRequest();
    this.#owner.closed(this);
    if (this.#mustClose) this.#defer();
    else if (this.#goesOn && !this.#isBlocked) this.#owner.recycle(this);
  }

  /** Ends the stream with an error. */
  #abandon(code: Http2ErrorCodeId): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#pending = this.#trailers = undefined;
    this.#dropRequest();
    this.#owner.output.rstStream(this.id, code);
    this.#owner.wrote();
    this.#owner.closed(this);
  }

  #dropRequest(): void {
    const flow = this.#stashedFlow + requestFeed.forget(this);
    this.#stash = undefined;
    this.#stashedFlow = 0;
    if (flow > 0) this.#owner.consumed(flow, undefined);
  }

  #defer(): void {
    if (this.#isDeferred) return;
    this.#isDeferred = true;
    this.#owner.defer(this);
  }
}
