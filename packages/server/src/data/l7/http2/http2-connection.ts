import type { Connection, ConnectionHandlers } from "../../transport/transport.ts";
import type { Http1Context } from "../http1-context.ts";
import { type Http1Owner, Http1Session } from "../http1-session.ts";
import type { Timed } from "../timeout-sweep.ts";
import type { FieldSink } from "./hpack-decoder.ts";
import {
  DEFAULT_WINDOW_BYTES,
  FrameFlag,
  Http2ErrorCode,
  type Http2ErrorCodeId,
  MAX_WINDOW_BYTES,
  Setting,
} from "./http2-frame.ts";
import { FloodGuard } from "./http2-guard.ts";
import {
  BLOCK_SLACK_BYTES,
  CONTROL_LIMIT,
  LINGER_MS,
  MAX_CONCURRENT_STREAMS,
  MAX_IDLE_STREAMS,
  MAX_PENDING_BYTES,
  RESET_LIMIT,
  TRAILER_LIMIT_BYTES,
} from "./http2-limits.ts";
import { Http2Output } from "./http2-output.ts";
import { type DataPiece, Http2Receiver, type ReceiverOwner } from "./http2-receiver.ts";
import { Http2RequestHead, Http2RequestTrailers } from "./http2-request.ts";
import { SendQueue } from "./http2-send-queue.ts";
import { Http2Stream, type StreamOwner } from "./http2-stream.ts";
import { CONNECTION_WINDOW_BYTES, ReceiveWindows, STREAM_WINDOW_BYTES } from "./http2-windows.ts";

/** The PING behind the first GOAWAY: once it is answered, no stream is on its way any more. */
const DRAIN_PING = Buffer.from("draining", "latin1");

const requestHead = new Http2RequestHead();
const requestTrailers = new Http2RequestTrailers();

const OPEN = 0;
/** GOAWAY was sent, streams that were on their way are still served. */
const DRAINING = 1;
/** No further stream is served. */
const LEAVING = 2;
/** Only what was sent must still arrive. */
const LINGERING = 3;
const CLOSED = 4;

/** What an {@link Http2Connection} needs of its listener. */
export interface Http2Owner {
  readonly context: Http1Context;
  /** Called once, when the connection is closed. */
  forget(connection: Http2Connection): void;
}

/**
 * One client's connection that speaks HTTP/2 (RFC 9113): every stream is carried inside as an HTTP/1.1 connection with
 * one request, by an {@link Http1Session} like any other, so that every rule there is holds for both.
 */
export class Http2Connection implements ConnectionHandlers, ReceiverOwner, StreamOwner, Http1Owner, Timed {
  readonly connection: Connection;
  readonly output: Http2Output;
  readonly sends: SendQueue;
  readonly #owner: Http2Owner;
  readonly #receiver = new Http2Receiver(this);
  readonly #windows: ReceiveWindows;
  readonly #streams = new Map<number, Http2Stream>();
  /** For the next requests. */
  #idle: Http2Stream[] = [];
  #deferred: Http2Stream[] = [];
  #isTurnPlanned = false;
  #initialWindow = DEFAULT_WINDOW_BYTES;
  #state = OPEN;
  readonly #resets: FloodGuard;
  readonly #controls: FloodGuard;
  /** Monotonic milliseconds since when no stream is open; what is incomplete must be whole by the deadline. */
  #idleSinceMs: number;
  #deadlineMs = Infinity;
  readonly #endTurn = (): void => this.#finishTurn();

  constructor(connection: Connection, owner: Http2Owner) {
    this.connection = connection;
    this.#owner = owner;
    const { account, clock } = owner.context.shared;
    this.output = new Http2Output(connection, (bytes) => account.count(0, bytes));
    this.sends = new SendQueue(this.output);
    this.#windows = new ReceiveWindows(this.output);
    this.#resets = new FloodGuard(RESET_LIMIT, clock);
    this.#controls = new FloodGuard(CONTROL_LIMIT, clock);
    this.#idleSinceMs = clock.nowMs();
  }

  /** The configuration for requests that begin now. */
  get context(): Http1Context {
    return this.#owner.context;
  }

  /** Takes the client over. @param received what has come of it already, and was counted, the preface included. */
  start(received: Uint8Array): void {
    this.connection.handlers = this;
    const { maxRequestHeaderBytes } = this.context.http;
    this.output.settings([
      [Setting.MAX_CONCURRENT_STREAMS, MAX_CONCURRENT_STREAMS],
      [Setting.INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES],
      [Setting.MAX_HEADER_LIST_SIZE, maxRequestHeaderBytes],
    ]);
    this.output.windowUpdate(0, CONNECTION_WINDOW_BYTES - DEFAULT_WINDOW_BYTES);
    this.wrote();
    if (received.length > 0) this.#receiver.read(received);
    this.#watch();
  }

  /** The listener goes: no request more than those that are on their way, then the end. */
  drain(): void {
    if (this.#state !== OPEN) return;
    this.#state = DRAINING;
    this.output.goaway(MAX_WINDOW_BYTES, Http2ErrorCode.NO_ERROR);
    this.output.ping(DRAIN_PING, 0);
    this.wrote();
  }

  /** Ends at once, with a reset: no peer may take a cut message for a complete one. */
  abort(): void {
    this.#receiver.stop();
    this.connection.reset();
  }

  onData(_from: Connection, bytes: Uint8Array): void {
    this.context.shared.account.count(bytes.length, 0);
    if (this.#state >= LINGERING) return;
    this.#receiver.read(bytes);
    this.#watch();
  }

  onEnd(): void {
    // No window grows any more, and no stream is taken back: there are no half-closed connections of HTTP/2.
    this.#receiver.stop();
    this.#abortStreams();
    this.#close();
  }

  onDrain(): void {
    this.output.isBlocked = false;
    this.#pump();
    for (const stream of this.#streams.values()) stream.connectionDrained();
  }

  onClose(): void {
    this.#state = CLOSED;
    this.#receiver.stop();
    this.#abortStreams();
    this.#owner.forget(this);
  }

  tick(nowMs: number): void {
    for (const { session } of this.#streams.values()) session.tick(nowMs);
    const { clientIdleTimeoutMs } = this.context.listener;
    if (this.#state === LINGERING) {
      if (nowMs >= this.#deadlineMs) this.#closeNow();
    } else if (nowMs >= this.#deadlineMs) {
      this.context.shared.account.reject("client-timeout");
      this.fail(Http2ErrorCode.NO_ERROR);
    } else if (this.#streams.size === 0) {
      this.#idle = [];
      if (clientIdleTimeoutMs === 0 || nowMs - this.#idleSinceMs < clientIdleTimeoutMs) return;
      if (this.#state === LEAVING) this.#closeNow();
      else this.#leave();
    }
  }

  // What the receiver wants.

  streamOf(id: number): Http2Stream | undefined {
    return this.#streams.get(id);
  }

  get maxBlockBytes(): number {
    return this.context.http.maxRequestHeaderBytes + BLOCK_SLACK_BYTES;
  }

  openRequest(): FieldSink {
    // One byte more than is allowed, so that the parser of the head sees what is wrong with it.
    requestHead.begin(this.context.http.maxRequestHeaderBytes + 1);
    return requestHead;
  }

  requestRead(id: number, isEnd: boolean): void {
    // Asks for more answers without reading any.
    if (this.output.isBlocked && this.connection.pendingBytes > MAX_PENDING_BYTES) return this.abort();
    // The client may send it again, here or elsewhere: nothing of it was looked at.
    const isRefused = this.#state >= LEAVING || this.#streams.size >= MAX_CONCURRENT_STREAMS;
    if (isRefused) return this.streamFailed(id, undefined, Http2ErrorCode.REFUSED_STREAM);
    const head = requestHead.finish(isEnd);
    if (head === undefined) {
      this.context.shared.account.reject("bad-request");
      return this.streamFailed(id, undefined, Http2ErrorCode.PROTOCOL_ERROR);
    }
    const stream = this.#takeStream();
    stream.sendWindow = this.#initialWindow;
    stream.receiveWindow = stream.windowBytes = STREAM_WINDOW_BYTES;
    this.#streams.set(id, stream);
    const { contentLength, isHeadMethod } = requestHead;
    stream.begin(id, head, { body: requestHead.bodyOf(isEnd), contentLength, isHeadMethod });
    if (isEnd) stream.end();
  }

  openTrailers(): FieldSink {
    requestTrailers.begin(TRAILER_LIMIT_BYTES);
    return requestTrailers;
  }

  trailersRead(stream: Http2Stream): void {
    if (requestTrailers.fault === undefined && stream.receiveTrailers(requestTrailers.lines)) return;
    this.streamFailed(stream.id, stream, Http2ErrorCode.PROTOCOL_ERROR);
  }

  dataReceived(stream: Http2Stream | undefined, { bytes, start, end, isEnd }: DataPiece): void {
    if (!this.#windows.take(end - start, stream)) return this.fail(Http2ErrorCode.FLOW_CONTROL_ERROR);
    if (stream === undefined) return this.consumed(end - start, undefined);
    if (stream.receive(bytes, start, end, isEnd)) return;
    this.consumed(end - start, undefined);
    this.streamFailed(stream.id, stream, Http2ErrorCode.PROTOCOL_ERROR);
  }

  paddingReceived(stream: Http2Stream | undefined, bytes: number): void {
    if (!this.#windows.take(bytes, stream)) return this.fail(Http2ErrorCode.FLOW_CONTROL_ERROR);
    this.consumed(bytes, stream);
  }

  streamReset(stream: Http2Stream): void {
    const isUnanswered = stream.isUnanswered;
    this.closed(stream);
    stream.abort();
    if (isUnanswered && !this.#resets.spend()) this.fail(Http2ErrorCode.ENHANCE_YOUR_CALM);
  }

  streamFailed(id: number, stream: Http2Stream | undefined, code: Http2ErrorCodeId): void {
    if (!this.#resets.spend()) return this.fail(Http2ErrorCode.ENHANCE_YOUR_CALM);
    this.output.rstStream(id, code);
    this.wrote();
    if (stream === undefined) return;
    this.closed(stream);
    stream.abort();
  }

  windowGrew(stream: Http2Stream | undefined, bytes: number): void {
    const grown = (stream?.sendWindow ?? this.sends.window) + bytes;
    if (grown > MAX_WINDOW_BYTES) {
      if (stream === undefined) this.fail(Http2ErrorCode.FLOW_CONTROL_ERROR);
      else this.streamFailed(stream.id, stream, Http2ErrorCode.FLOW_CONTROL_ERROR);
    } else if (stream === undefined) this.sends.window = grown;
    else stream.moveWindow(bytes);
    this.#pump();
  }

  initialWindow(bytes: number): void {
    const moved = bytes - this.#initialWindow;
    this.#initialWindow = bytes;
    for (const stream of this.#streams.values()) {
      if (stream.sendWindow + moved > MAX_WINDOW_BYTES) return this.fail(Http2ErrorCode.FLOW_CONTROL_ERROR);
      stream.moveWindow(moved);
    }
  }

  settingsRead(): void {
    this.output.settingsAck();
    this.#pump();
    this.wrote();
  }

  pinged(payload: Uint8Array, isAck: boolean): void {
    if (!isAck) this.output.ping(payload, FrameFlag.ACK);
    else if (this.#state === DRAINING && DRAIN_PING.equals(payload)) this.#leave();
    this.wrote();
  }

  wentAway(): void {
    if (this.#state < LEAVING) this.#leave();
  }

  idleFrame(): boolean {
    if (this.#controls.spend()) return true;
    this.fail(Http2ErrorCode.ENHANCE_YOUR_CALM);
    return false;
  }

  /** The connection is over: says why, and gives the client the chance to read it. */
  fail(code: Http2ErrorCodeId): void {
    if (this.#state >= LINGERING) return;
    this.#receiver.stop();
    this.#abortStreams();
    if (code !== Http2ErrorCode.NO_ERROR) this.context.shared.account.reject("bad-request");
    this.output.goaway(this.#receiver.lastStream, code);
    this.output.flush();
    this.#state = LINGERING;
    this.#deadlineMs = this.context.shared.clock.nowMs() + LINGER_MS;
    this.connection.shutdown();
    this.connection.resume();
  }

  // What streams and their sessions want.

  defer(stream: Http2Stream): void {
    this.#deferred.push(stream);
    this.wrote();
  }

  wrote(): void {
    if (this.#isTurnPlanned) return;
    this.#isTurnPlanned = true;
    setImmediate(this.#endTurn);
  }

  consumed(bytes: number, stream: Http2Stream | undefined): void {
    if (bytes > 0 && this.#windows.give(bytes, stream)) this.wrote();
  }

  closed(stream: Http2Stream): void {
    this.#streams.delete(stream.id);
    if (this.#streams.size > 0) return;
    this.#idleSinceMs = this.context.shared.clock.nowMs();
    // What was sent still has to leave.
    if (this.#state === LEAVING) this.wrote();
  }

  recycle(stream: Http2Stream): void {
    if (this.#idle.length < MAX_IDLE_STREAMS) this.#idle.push(stream);
  }

  /** Bytes are counted as they come and go on the connection. */
  count(): void {}

  startHttp2(): boolean {
    return false;
  }

  /** The connection is what the listener counts. */
  forget(): void {}

  #takeStream(): Http2Stream {
    for (let stream = this.#idle.pop(); stream !== undefined; stream = this.#idle.pop()) {
      if (stream.isReusable) return stream;
    }
    const stream = new Http2Stream(this);
    stream.session = new Http1Session(stream, this);
    stream.session.start();
    return stream;
  }

  #pump(): void {
    this.sends.pump();
    if (!this.output.isEmpty) this.wrote();
  }

  #finishTurn(): void {
    this.#isTurnPlanned = false;
    const deferred = this.#deferred;
    if (deferred.length > 0) {
      this.#deferred = [];
      for (const stream of deferred) stream.settle();
    }
    this.output.flush();
    if (this.#state === LEAVING && this.#streams.size === 0) this.#close();
  }

  /** Says that no further stream is served; ends once those that there are have ended. */
  #leave(): void {
    this.output.goaway(this.#receiver.lastStream, Http2ErrorCode.NO_ERROR);
    this.#state = LEAVING;
    this.wrote();
  }

  #close(): void {
    if (this.#state === CLOSED) return;
    this.output.flush();
    this.connection.close();
  }

  /** In order, unless the client does not take what it was sent. */
  #closeNow(): void {
    if (this.connection.pendingBytes > 0) this.connection.reset();
    else this.#close();
  }

  #abortStreams(): void {
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    this.sends.clear();
    for (const stream of streams) stream.abort();
  }

  /** What has begun must be whole in time. */
  #watch(): void {
    const { http, shared } = this.context;
    if (this.#state >= LINGERING) return;
    if (!this.#receiver.isPartial) this.#deadlineMs = Infinity;
    else if (this.#deadlineMs === Infinity && http.requestHeaderTimeoutMs > 0) {
      this.#deadlineMs = shared.clock.nowMs() + http.requestHeaderTimeoutMs;
    }
  }
}
