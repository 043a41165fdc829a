import { type ClientHttp2Stream, constants } from "node:http2";

import { formatHostPort } from "@fiberlb/types";

import { type Connection, type ConnectionHandlers, noHandlers, TransportError } from "../transport/transport.ts";
import type { RawHeaders } from "./http2-upstream-request.ts";
import {
  framingOf,
  http1BodyEnd,
  http1Piece,
  http1ResponseHead,
  type ResponseFraming,
  statusOf,
} from "./http2-upstream-response.ts";
import { RequestSender, type StreamStart } from "./http2-upstream-sender.ts";
import type { Http2UpstreamSession } from "./http2-upstream-session.ts";

/** Code of the error when the backend has taken nothing of a request: it may be sent again, whatever it is. */
export const REFUSED = "EREFUSEDSTREAM";
/** Code of the error when the backend has ended this one request, and not the connection. */
export const STREAM_RESET = "ESTREAMRESET";

/** Content is passed on in pieces of about so much, when more has come at once. */
const PIECE_BYTES = 64 * 1024;
const NO_CONTENTS: readonly Uint8Array[] = [];

/** What a {@link Http2UpstreamStream} is made with. */
export interface UpstreamStreamOptions {
  readonly address: string;
  readonly port: number;
  readonly scheme: "http" | "https";
  /** Called when it is ended before it had a place in a session. */
  readonly onAbandoned: (stream: Http2UpstreamStream) => void;
}

/**
 * One HTTP/2 stream that looks like a connection of its own on which HTTP/1.1 is spoken: takes one HTTP/1.1 request and
 * gives its response as HTTP/1.1. What is slow on either side slows the other down through HTTP/2's flow control.
 *
 * What comes of a response in one turn of the event loop is gathered, so that it goes on in one write.
 */
export class Http2UpstreamStream implements Connection {
  handlers: ConnectionHandlers;
  readonly localAddress = "0.0.0.0";
  readonly localPort = 0;
  readonly tls = undefined;
  readonly #options: UpstreamStreamOptions;
  readonly #sender: RequestSender;
  #session: Http2UpstreamSession | undefined;
  #stream: ClientHttp2Stream | undefined;
  #framing: ResponseFraming = "none";
  #trailers: RawHeaders | undefined;
  #head = "";
  #contents: Uint8Array[] | undefined;
  #contentBytes = 0;
  #end = "";
  #isPaused = false;
  #isFlushing = false;
  /** The backend has sent everything: END_STREAM, which a reset is not. */
  #isEnded = false;
  /** Everything that it has sent was read. */
  #isFinished = false;
  #isClosed = false;

  constructor(options: UpstreamStreamOptions, handlers: ConnectionHandlers) {
    this.#options = options;
    this.handlers = handlers;
    this.#sender = new RequestSender(options.scheme, (headers, start) => this.#open(headers, start));
  }

  get proxied(): undefined {
    return undefined;
  }

  get remoteAddress(): string {
    return this.#options.address;
  }

  get remotePort(): number {
    return this.#options.port;
  }

  get pendingBytes(): number {
    return this.#stream?.writableLength ?? 0;
  }

  /** Gives it a place in a session, which the first `write` uses. */
  attach(session: Http2UpstreamSession): void {
    session.inUse++;
    this.#session = session;
  }

  /** The place that {@link attach} gave may be used now. */
  connected(): void {
    if (!this.#isClosed) this.handlers.onConnect?.(this);
  }

  /** There is no place. */
  refused(error: TransportError): void {
    this.#close(error);
  }

  write(bytes: Uint8Array): boolean {
    if (this.#isClosed || this.#session === undefined || this.#stream?.closed === true) return true;
    try {
      const state = this.#sender.write(bytes);
      if (state === "failed") this.#fail("the request cannot be told in HTTP/2");
      return state !== "blocked";
    } catch (error) {
      // node:http2 does not take a header: nothing was sent.
      this.#fail((error as Error).message);
      return true;
    }
  }

  pause(): void {
    this.#isPaused = true;
    this.#stream?.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#stream?.resume();
    if (this.#head !== "" || this.#contentBytes > 0 || this.#isFinished) this.#flushSoon();
  }

  /** A request ends with its last byte, whatever becomes of the connection. */
  shutdown(): void {}

  /** Its user has the whole response. What the backend still says of it is dropped. */
  close(): void {
    this.handlers = noHandlers;
    const stream = this.#stream;
    if (stream === undefined) return this.reset();
    this.#isClosed = true;
    if (this.#isPaused) stream.resume();
    if (!this.#isEnded) this.#session?.linger(stream);
  }

  reset(): void {
    if (this.#isClosed) return;
    const stream = this.#stream;
    if (stream !== undefined) {
      if (!this.#isEnded) this.#session?.suspect();
      if (!this.#sender.cut()) stream.close(constants.NGHTTP2_CANCEL);
    } else if (this.#session === undefined) this.#options.onAbandoned(this);
    else this.#session.free();
    this.#closeSoon(undefined);
  }

  toDuplex(): never {
    throw new Error("Cannot make a stream of Node of one request in an HTTP/2 connection");
  }

  #open(headers: RawHeaders, start: StreamStart): ClientHttp2Stream {
    const stream = (this.#session as Http2UpstreamSession).request(headers, start);
    this.#stream = stream;
    this.#noteEnd(stream);
    stream.on("headers", (_headers, _flags, raw) => this.#interim(raw));
    stream.on("response", (_headers, flags, raw) => this.#response(flags, raw));
    stream.on("trailers", (_headers, _flags, raw) => (this.#trailers = raw));
    stream.on("drain", () => this.handlers.onDrain(this));
    // What it means shows when the stream closes, which comes next.
    stream.on("error", () => {});
    stream.on("close", () => this.#streamClosed(stream));
    return stream;
  }

  /** A stream that is reset ends like one that is complete, but is closed before it ends. */
  #noteEnd(stream: ClientHttp2Stream): void {
    const push = stream.push.bind(stream);
    stream.push = (chunk: unknown): boolean => {
      if (chunk === null && !stream.closed) this.#isEnded = true;
      return push(chunk);
    };
  }

  #interim(headers: RawHeaders): void {
    const facts = { status: statusOf(headers), isHead: false, isEnded: false };
    this.#addHead(facts.status < 200 ? http1ResponseHead(headers, facts, "none") : undefined);
  }

  #response(flags: number, headers: RawHeaders): void {
    const stream = this.#stream as ClientHttp2Stream;
    const isEnded = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    const facts = { status: statusOf(headers), isHead: this.#sender.isHead, isEnded };
    this.#framing = framingOf(headers, facts);
    this.#addHead(http1ResponseHead(headers, facts, this.#framing));
    stream.on("data", (bytes: Buffer) => this.#addContent(bytes));
    stream.on("end", () => this.#finish());
    if (this.#isPaused) stream.pause();
  }

  #addHead(head: string | undefined): void {
    if (head === undefined) return this.#fail("the backend's response is malformed");
    this.#head += head;
    this.#flushSoon();
  }

  #addContent(bytes: Buffer): void {
    if (this.#isClosed) return;
    (this.#contents ??= []).push(bytes);
    this.#contentBytes += bytes.length;
    if (this.#contentBytes >= PIECE_BYTES) this.#flush();
    else this.#flushSoon();
  }

  /** Everything was read: the end of the response, unless it was cut. */
  #finish(): void {
    if (this.#isClosed || this.#isFinished || !this.#isEnded) return;
    this.#isFinished = true;
    const end = this.#framing === "chunked" ? http1BodyEnd(this.#trailers ?? []) : "";
    if (end === undefined) return this.#fail("the trailers of the backend's response are malformed");
    this.#end = end;
    this.#flush();
  }

  #flushSoon(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    setImmediate(() => {
      this.#isFlushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#isPaused || this.#isClosed) return;
    this.#session?.heard();
    if (this.#head !== "" || this.#contentBytes > 0 || this.#end !== "") this.handlers.onData(this, this.#takePiece());
    // By now its user has closed it if that was all of the response.
    if (!this.#isFinished || this.#isPaused || this.#isClosed) return;
    this.handlers.onEnd(this);
    this.#close(undefined);
  }

  #takePiece(): Uint8Array {
    const piece = http1Piece({
      head: this.#head,
      contents: this.#contents ?? NO_CONTENTS,
      contentBytes: this.#contentBytes,
      isChunked: this.#framing === "chunked",
      end: this.#end,
    });
    this.#head = this.#end = "";
    this.#contents = undefined;
    this.#contentBytes = 0;
    return piece;
  }

  #streamClosed(stream: ClientHttp2Stream): void {
    if (this.#isClosed) return;
    if (!this.#isEnded) return this.#close(this.#errorOf(stream));
    // The session may have ended before a slow reader had everything.
    for (let rest = stream.read() as Buffer | null; rest !== null; rest = stream.read() as Buffer | null) {
      this.#addContent(rest);
    }
    this.#finish();
  }

  #errorOf(stream: ClientHttp2Stream): TransportError {
    const session = this.#session as Http2UpstreamSession;
    const where = formatHostPort(this.remoteAddress, this.remotePort);
    if (session.hasRefused(stream)) return new TransportError(REFUSED, `${where} has refused the request unseen`);
    if (session.isLost) return new TransportError("ECONNRESET", `Connection broken to ${where}: ${session.reason}`);
    const code = `HTTP/2 error ${stream.rstCode}`;
    return new TransportError(STREAM_RESET, `${where} has reset the request: ${code}`);
  }

  /** What one of both sides says can't be told to the other. */
  #fail(reason: string): void {
    if (this.#isClosed) return;
    if (this.#stream === undefined) this.#session?.free();
    else if (!this.#sender.cut()) this.#stream.close(constants.NGHTTP2_PROTOCOL_ERROR);
    const where = formatHostPort(this.remoteAddress, this.remotePort);
    this.#closeSoon(new TransportError(STREAM_RESET, `Cannot finish a request at ${where}: ${reason}`));
  }

  /** From inside a method nothing may be called back. */
  #closeSoon(error: TransportError | undefined): void {
    const { handlers } = this;
    this.#isClosed = true;
    this.handlers = noHandlers;
    queueMicrotask(() => handlers.onClose(this, error));
  }

  #close(error: TransportError | undefined): void {
    if (this.#isClosed) return;
    const { handlers } = this;
    this.#isClosed = true;
    this.handlers = noHandlers;
    handlers.onClose(this, error);
  }
}
