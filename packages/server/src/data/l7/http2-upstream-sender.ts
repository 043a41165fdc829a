import type { ClientHttp2Stream } from "node:http2";

import { ByteStash } from "./byte-stash.ts";
import { BodyScan } from "./http1-body.ts";
import { HeaderFields, INCOMPLETE } from "./http1-fields.ts";
import { RequestHead } from "./http1-head.ts";
import { Method } from "./http1-names.ts";
import { http2RequestHeaders, http2Trailers, type RawHeaders } from "./http2-upstream-request.ts";

/** Heads come from our own writers, which have kept the listener's limits. */
const MAX_HEADERS = 8192;
const LIMITS = {
  maxUriBytes: Number.MAX_SAFE_INTEGER,
  maxHeaderBytes: Number.MAX_SAFE_INTEGER,
  maxHeaderCount: MAX_HEADERS,
};
/** As many as HTTP/1.1 lets pass. */
const MAX_TRAILERS = 1024;

/** For one head at a time: none is kept. */
const head = new RequestHead(LIMITS);
const trailerFields = new HeaderFields(MAX_TRAILERS);
const NO_TRAILERS = {};

/** Opens the stream of a request. `waitForTrailers`: the stream's end waits for `sendTrailers`. */
export type OpenStream = (
  headers: RawHeaders,
  options: { readonly endStream: boolean; readonly waitForTrailers: boolean },
) => ClientHttp2Stream;

/** What became of bytes given to {@link RequestSender.write}. */
export type SendState = "sent" | "blocked" | "failed";

/** Reads one HTTP/1.1 request as the exchange writes it, and sends it as an HTTP/2 stream. */
export class RequestSender {
  /** The request was HEAD: its response has no content. */
  isHead = false;
  readonly #scheme: "http" | "https";
  readonly #open: OpenStream;
  #stream: ClientHttp2Stream | undefined;
  #body: BodyScan | undefined;
  #trailers: ByteStash | undefined;

  constructor(scheme: "http" | "https", open: OpenStream) {
    this.#scheme = scheme;
    this.#open = open;
  }

  /** The first bytes hold the whole head. `blocked`: everything is taken, and more only after the stream's `drain`. */
  write(bytes: Uint8Array): SendState {
    if (this.#stream === undefined) return this.#begin(bytes);
    return this.#sendBody(this.#stream, bytes, 0);
  }

  #begin(bytes: Uint8Array): SendState {
    head.reset();
    if (head.parse(bytes, 0, bytes.length) !== "complete") return "failed";
    this.isHead = head.line.method === Method.HEAD;
    const { body: kind, framing, end } = head;
    const hasBody = kind !== "none" && !(kind === "length" && framing.contentLength === 0);
    const waitForTrailers = kind === "chunked";
    const stream = this.#open(http2RequestHeaders(head, this.#scheme), { endStream: !hasBody, waitForTrailers });
    this.#stream = stream;
    if (!hasBody) return "sent";
    if (waitForTrailers) stream.on("wantTrailers", () => this.#sendTrailers());
    this.#body = new BodyScan();
    this.#body.begin(kind, framing.contentLength);
    return this.#sendBody(stream, bytes, end);
  }

  #sendBody(stream: ClientHttp2Stream, bytes: Uint8Array, from: number): SendState {
    const body = this.#body as BodyScan;
    if (body.read(bytes, from, bytes.length) === "failed") return "failed";
    const { payload, trailers } = body;
    const isDone = body.state === "done";
    for (let i = 0; i < payload.count; i++) {
      // node:http2 sends it later and does not copy it.
      const content = Buffer.from(bytes.subarray(payload.start(i), payload.end(i)));
      if (isDone && i === payload.count - 1) stream.end(content);
      else stream.write(content);
    }
    for (let i = 0; i < trailers.count; i++) {
      (this.#trailers ??= new ByteStash()).append(bytes, trailers.start(i), trailers.end(i));
    }
    if (isDone && payload.count === 0) stream.end();
    return stream.writableNeedDrain ? "blocked" : "sent";
  }

  #sendTrailers(): void {
    const stash = this.#trailers as ByteStash;
    trailerFields.reset();
    const isRead = trailerFields.scan(stash.bytes, stash.start, stash.end) > INCOMPLETE;
    this.#stream?.sendTrailers(isRead ? http2Trailers(stash.bytes, trailerFields) : NO_TRAILERS);
  }
}
