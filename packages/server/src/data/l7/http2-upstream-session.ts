import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";

import { formatHostPort } from "@fiberlb/types";

import type { Clock } from "../../clock.ts";
import { type Connection, TransportError } from "../transport/transport.ts";
import type { RawHeaders } from "./http2-upstream-request.ts";
import type { StreamStart } from "./http2-upstream-sender.ts";

/** Unread content that a backend may send for one request; slow clients hold back their own stream with it. */
const STREAM_WINDOW_BYTES = 256 * 1024;
/** The same for all requests of a session; what a slow client does not read is no part of it. */
const SESSION_WINDOW_BYTES = 4 * 1024 * 1024;
/** A session that was silent for so long is suspected when a request is given up. */
const SILENCE_MS = 5000;
/** An answer to PING that has not come by then does not come. */
const PING_TIMEOUT_MS = 5000;
/** A stream whose response is complete may stay open for so long on the backend's side. */
const LINGER_MS = 5000;

const SETTINGS = {
  enablePush: false,
  initialWindowSize: STREAM_WINDOW_BYTES,
  // What our parser of responses takes, and as much again for the way HTTP/2 counts.
  maxHeaderListSize: 128 * 1024,
};
const OPTIONS = {
  settings: SETTINGS,
  // Headers that HTTP/1.1 lets a client repeat go on repeated.
  strictSingleValueFields: false,
  maxHeaderListPairs: 512,
  // The listener's limits were kept already.
  maxSendHeaderBlockLength: 4 * 1024 * 1024,
  // Megabytes: above what all streams together may hold.
  maxSessionMemory: 256,
};

type Duplex = ReturnType<Connection["toDuplex"]>;

/** What a {@link Http2UpstreamSession} tells. */
export interface SessionOwner {
  /** The backend's SETTINGS have come: it does speak HTTP/2, and its limit of streams is known. */
  sessionReady(session: Http2UpstreamSession): void;
  /** There may be room for another request. */
  sessionFreed(session: Http2UpstreamSession): void;
  /** No further request: GOAWAY has come, or the session has ended; `error` when it ended before it was ready. */
  sessionLeft(session: Http2UpstreamSession, error: TransportError | undefined): void;
}

/** What a {@link Http2UpstreamSession} is made with. */
export interface SessionOptions {
  readonly clock: Clock;
  readonly address: string;
  readonly port: number;
  /** For the backend's SETTINGS. */
  readonly timeoutMs: number;
  readonly owner: SessionOwner;
}

/** One HTTP/2 connection to a backend, for many requests at once. */
export class Http2UpstreamSession {
  /** Monotonic milliseconds since when no request is under way. */
  idleSinceMs: number;
  /** Why it has ended. */
  reason = "the backend closed the connection";
  /** Requests that it carries, or has promised a place to. */
  inUse = 0;
  /** Requests that the backend takes at once. */
  limit = 0;
  readonly #session: ClientHttp2Session;
  readonly #duplex: Duplex;
  readonly #options: SessionOptions;
  readonly #cancelWait: () => void;
  /** Streams whose response has gone to the client whole and that the backend has not ended. */
  readonly #lingering = new Map<ClientHttp2Stream, number>();
  #state: "opening" | "open" | "draining" | "closed" = "opening";
  #lastHeardMs: number;
  #pingedAtMs = Infinity;
  #lastStreamId = Infinity;

  constructor(duplex: Duplex, options: SessionOptions) {
    const { clock, address, port, timeoutMs } = options;
    this.#options = options;
    this.#duplex = duplex;
    this.idleSinceMs = this.#lastHeardMs = clock.nowMs();
    this.#cancelWait = clock.after(timeoutMs, () => this.destroy(`no SETTINGS came within ${timeoutMs} ms`));
    // HTTP/2 knows no half-closed connections.
    duplex.once("end", () => this.destroy(this.reason));
    const session = connect(`http://${formatHostPort(address, port)}`, { ...OPTIONS, createConnection: () => duplex });
    this.#session = session;
    session.on("connect", () => session.setLocalWindowSize(SESSION_WINDOW_BYTES));
    session.on("remoteSettings", ({ maxConcurrentStreams = Infinity }) => this.#settled(maxConcurrentStreams));
    session.on("goaway", (_code, lastStreamId) => this.#goAway(lastStreamId));
    session.on("error", (error) => (this.reason = error.message));
    session.on("close", () => this.#closed());
  }

  /** It takes requests, or will. */
  get isUsable(): boolean {
    return this.#state === "open" || this.#state === "opening";
  }

  /** Open, and nobody doubts it. Of a session that has ended node:http2 says so later: PING would throw meanwhile. */
  get #isTrusted(): boolean {
    return this.#state === "open" && !this.#session.destroyed && this.#pingedAtMs === Infinity;
  }

  /** Requests that it takes now. */
  get room(): number {
    return this.#isTrusted ? this.limit - this.inUse : 0;
  }

  /** The backend has ended the session, or cannot be reached any more. */
  get isLost(): boolean {
    return this.#state === "closed";
  }

  /** Sends a request on a place that was counted in {@link inUse}. @throws what node:http2 does about headers. */
  request(headers: RawHeaders, start: StreamStart): ClientHttp2Stream {
    const stream = this.#session.request(headers, start);
    stream.on("close", () => {
      this.#lingering.delete(stream);
      this.free();
    });
    return stream;
  }

  /** Gives a place back. */
  free(): void {
    this.inUse--;
    if (this.inUse === 0) this.idleSinceMs = this.#options.clock.nowMs();
    if (this.#state === "draining" && this.inUse === 0) this.destroy("it was no longer needed");
    else this.#options.owner.sessionFreed(this);
  }

  /** Something of the backend has come. */
  heard(): void {
    this.#lastHeardMs = this.#options.clock.nowMs();
  }

  /** Whether the request was never sent, or the backend says that it will not carry it out (RFC 9113 §6.8, §8.7). */
  hasRefused(stream: ClientHttp2Stream): boolean {
    if (stream.id === undefined || stream.rstCode === constants.NGHTTP2_REFUSED_STREAM) return true;
    return stream.id > this.#lastStreamId;
  }

  /** The response was complete before the stream was: the backend may still end it in order. */
  linger(stream: ClientHttp2Stream): void {
    if (!stream.destroyed) this.#lingering.set(stream, this.#options.clock.nowMs());
  }

  /** A request was given up. If the backend has been silent, it is asked whether it is there at all. */
  suspect(): void {
    const nowMs = this.#options.clock.nowMs();
    if (!this.#isTrusted || nowMs - this.#lastHeardMs < SILENCE_MS) return;
    this.#pingedAtMs = nowMs;
    this.#session.ping((error) => {
      this.#pingedAtMs = Infinity;
      if (error !== null) return;
      this.heard();
      this.#options.owner.sessionFreed(this);
    });
  }

  /** Looks after what takes too long. */
  tick(nowMs: number): void {
    if (nowMs - this.#pingedAtMs >= PING_TIMEOUT_MS) return this.destroy("PING was not answered");
    for (const [stream, sinceMs] of this.#lingering) {
      if (nowMs - sinceMs >= LINGER_MS) stream.close(constants.NGHTTP2_CANCEL);
    }
  }

  /** No further request; ends when the last one has. */
  drain(): void {
    if (this.#state === "closed") return;
    if (this.inUse === 0) return this.destroy("it was no longer needed");
    this.#leave("draining", undefined);
  }

  /** Ends at once, and every request with it. */
  destroy(reason: string): void {
    this.reason = reason;
    const hadOpened = this.#state !== "opening";
    this.#session.destroy();
    // After GOAWAY node:http2 would wait for the backend to close the connection, and so would the end of our side when
    // the backend takes nothing any more: a turn is enough for GOAWAY to leave.
    setImmediate(() => this.#duplex.destroy());
    this.#leave("closed", hadOpened ? undefined : this.#openError());
  }

  #settled(limit: number): void {
    this.limit = limit;
    if (this.#state !== "opening") return this.#options.owner.sessionFreed(this);
    this.#cancelWait();
    this.#state = "open";
    this.heard();
    this.#options.owner.sessionReady(this);
  }

  #goAway(lastStreamId: number): void {
    this.#lastStreamId = lastStreamId;
    this.reason = "the backend sent GOAWAY";
    if (this.#state === "opening" || this.inUse === 0) return this.destroy(this.reason);
    this.#leave("draining", undefined);
  }

  #closed(): void {
    this.#leave("closed", this.#state === "opening" ? this.#openError() : undefined);
  }

  #leave(state: "draining" | "closed", error: TransportError | undefined): void {
    const before = this.#state;
    if (before === "closed" || before === state) return;
    this.#state = state;
    this.#cancelWait();
    this.#options.owner.sessionLeft(this, error);
  }

  #openError(): TransportError {
    const { address, port } = this.#options;
    const why = `Cannot speak HTTP/2 with ${formatHostPort(address, port)}: ${this.reason}; does the backend serve HTTP/2 there?`;
    return new TransportError("EPROTO", why);
  }
}
