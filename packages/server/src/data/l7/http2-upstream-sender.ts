import type { ClientHttp2Stream } from "node:http2";

import { BodyScan } from "./http1-body.ts";
import { RequestHead } from "./http1-head.ts";
import { Method } from "./http1-names.ts";
import { http2RequestHeaders, type RawHeaders } from "./http2-upstream-request.ts";

/** Heads come from our own writers, and keep the listener's limits. */
const LIMITS = {
  maxUriBytes: Number.MAX_SAFE_INTEGER,
  maxHeaderBytes: Number.MAX_SAFE_INTEGER,
  maxHeaderCount: 8192,
};

/** For one head at a time: none is kept. */
const head = new RequestHead(LIMITS);

/** How the stream of a request is opened. */
export interface StreamStart {
  /** The request has no content. */
  readonly endStream: boolean;
  /** Cuts the request before it is complete. */
  readonly signal?: AbortSignal;
}

/** What became of bytes given to {@link RequestSender.write}. */
export type SendState = "sent" | "blocked" | "failed";

/**
 * Reads one HTTP/1.1 request as the exchange writes it, and sends it as an HTTP/2 stream. Trailers are left out (RFC 9110
 * §6.5.1 allows it): for their sake node:http2 keeps streams in a state in which cutting one can end the process.
 */
export class RequestSender {
  /** The request was HEAD: its response has no content. */
  isHead = false;
  readonly #scheme: "http" | "https";
  readonly #open: (headers: RawHeaders, start: StreamStart) => ClientHttp2Stream;
  #stream: ClientHttp2Stream | undefined;
  #body: BodyScan | undefined;
  #cutter: AbortController | undefined;

  constructor(scheme: "http" | "https", open: (headers: RawHeaders, start: StreamStart) => ClientHttp2Stream) {
    this.#scheme = scheme;
    this.#open = open;
  }

  /** The first bytes hold the whole head. `blocked`: everything is taken, and more only after the stream's `drain`. */
  write(bytes: Uint8Array): SendState {
    return this.#stream === undefined ? this.#begin(bytes) : this.#sendBody(this.#stream, bytes);
  }

  /**
   * Cuts a request that is not complete, so that it does not look complete: node:http2 would end what it closes.
   * @returns false when everything was sent.
   */
  cut(): boolean {
    this.#cutter?.abort();
    return this.#cutter !== undefined;
  }

  #begin(bytes: Uint8Array): SendState {
    head.reset();
    if (head.parse(bytes, 0, bytes.length) !== "complete") return "failed";
    this.isHead = head.line.method === Method.HEAD;
    const { body: kind, framing, end } = head;
    const headers = http2RequestHeaders(head, this.#scheme);
    if (kind === "none" || (kind === "length" && framing.contentLength === 0)) {
      this.#stream = this.#open(headers, { endStream: true });
      return "sent";
    }
    const body = new BodyScan();
    body.begin(kind, framing.contentLength);
    if (body.read(bytes, end, bytes.length) === "failed") return "failed";
    if (body.state !== "done") this.#cutter = new AbortController();
    const start = this.#cutter === undefined ? undefined : { signal: this.#cutter.signal };
    this.#body = body;
    this.#stream = this.#open(headers, { endStream: false, ...start });
    return this.#send(this.#stream, bytes, body);
  }

  #sendBody(stream: ClientHttp2Stream, bytes: Uint8Array): SendState {
    const body = this.#body as BodyScan;
    return body.read(bytes, 0, bytes.length) === "failed" ? "failed" : this.#send(stream, bytes, body);
  }

  #send(stream: ClientHttp2Stream, bytes: Uint8Array, { payload, state }: BodyScan): SendState {
    const isDone = state === "done";
    if (isDone) this.#cutter = undefined;
    for (let i = 0; i < payload.count; i++) {
      // node:http2 sends it later and does not copy it.
      const content = Buffer.from(bytes.subarray(payload.start(i), payload.end(i)));
      if (isDone && i === payload.count - 1) stream.end(content);
      else stream.write(content);
    }
    if (isDone && payload.count === 0) stream.end();
    return stream.writableNeedDrain ? "blocked" : "sent";
  }
}
