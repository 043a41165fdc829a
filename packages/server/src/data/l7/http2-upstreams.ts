import { formatHostPort } from "@fiberlb/types";

import type { Clock } from "../../clock.ts";
import { type Connection, noHandlers, type Transport, TransportError } from "../transport/transport.ts";
import { connectOptionsOf, type UpstreamTarget } from "./backend-protocol.ts";
import { Http2UpstreamSession, type SessionOwner } from "./http2-upstream-session.ts";
import { Http2UpstreamStream } from "./http2-upstream-stream.ts";
import { Upstream, type UpstreamOwner, type UpstreamUser } from "./upstream.ts";

/** Sessions to one backend in one worker. */
export const MAX_SESSIONS = 64;
/** Requests that wait for a place at one backend in one worker; more are refused at once. */
export const MAX_WAITING = 1024;
/** Longer than for HTTP/1.1: a backend that closes says so first (GOAWAY), and what it had not seen is sent again. */
export const MAX_IDLE_SESSION_MS = 30_000;
/** Parsers kept for further requests. */
const MAX_SPARE = 64;
const NOTHING = new Uint8Array(0);

/** What {@link Http2Upstreams} needs. */
export interface Http2UpstreamsOptions extends UpstreamTarget {
  readonly transport: Transport;
  readonly clock: Clock;
  /** Who keeps the connections on which ALPN chose HTTP/1.1. */
  readonly http1: UpstreamOwner;
}

/** A request without a place. */
interface Waiting {
  readonly upstream: Upstream;
  readonly stream: Http2UpstreamStream;
  readonly timeoutMs: number;
  readonly cancelTimeout: () => void;
}

/**
 * The sessions of one worker to one backend that speaks HTTP/2, or that may: where ALPN decides, the first connection
 * finds out what it is, and until then one connection is opened for all requests.
 */
export class Http2Upstreams implements SessionOwner, UpstreamOwner {
  readonly #options: Http2UpstreamsOptions;
  /** Those that take requests. */
  readonly #sessions = new Set<Http2UpstreamSession>();
  readonly #draining = new Set<Http2UpstreamSession>();
  /** First come, first served. */
  readonly #waiting = new Map<Http2UpstreamStream, Waiting>();
  readonly #spare: Upstream[] = [];
  /** Connections that are being made, and sessions whose SETTINGS have not come. */
  readonly #opening = new Set<Connection | Http2UpstreamSession>();
  /** What the last connection that was made carries at once. */
  #requestsPerConnection = Infinity;
  /** ALPN chose HTTP/1.1 last: every request needs a connection of its own. */
  #isHttp1 = false;
  #isClosed = false;

  constructor(options: Http2UpstreamsOptions) {
    this.#options = options;
  }

  /** Whether what was made for its target may be used for this one. */
  serves({ backend, protocol }: UpstreamTarget): boolean {
    const mine = this.#options;
    return protocol === mine.protocol && backend.address === mine.backend.address && backend.port === mine.backend.port;
  }

  /** Nothing is left of it. */
  get isEmpty(): boolean {
    return this.#sessions.size + this.#draining.size + this.#waiting.size + this.#opening.size === 0;
  }

  /** A place in a session that stands. */
  take(user: UpstreamUser): Upstream | undefined {
    const session = this.#waiting.size === 0 ? this.#sessionWithRoom() : undefined;
    if (session === undefined) return undefined;
    const upstream = this.#upstream(user);
    this.#stream(upstream).attach(session);
    upstream.isConnected = upstream.isReused = true;
    return upstream;
  }

  /** A place in a session, which may have to be made; its user hears when there is one. */
  connect(timeoutMs: number, user: UpstreamUser): Upstream {
    const upstream = this.#upstream(user);
    const stream = this.#stream(upstream);
    const isFull = this.#waiting.size >= MAX_WAITING;
    if (isFull) queueMicrotask(() => stream.refused(this.#error("EBUSY", `${MAX_WAITING} requests wait already`)));
    else this.#wait(upstream, stream, timeoutMs);
    return upstream;
  }

  /** Ends idle sessions at once, the others with their last request. */
  drain(): void {
    for (const session of this.#sessions) session.drain();
  }

  /** {@link drain}, and what is being opened ends too, unless somebody waits for it. */
  close(): void {
    this.#isClosed = true;
    this.drain();
    this.#endOpening();
  }

  /** Looks after what takes too long. */
  tick(nowMs: number): void {
    for (const session of this.#draining) session.tick(nowMs);
    for (const session of this.#sessions) {
      session.tick(nowMs);
      if (session.inUse === 0 && nowMs - session.idleSinceMs >= MAX_IDLE_SESSION_MS) session.drain();
    }
  }

  give(upstream: Upstream): void {
    upstream.user = undefined;
    upstream.connection?.close();
    if (this.#spare.length < MAX_SPARE) this.#spare.push(upstream);
  }

  gone(): void {}

  failed(upstream: Upstream, error: TransportError): void {
    this.#options.http1.failed(upstream, error);
  }

  sessionReady(session: Http2UpstreamSession): void {
    this.#opening.delete(session);
    this.#sessions.add(session);
    this.#isHttp1 = false;
    this.#requestsPerConnection = Math.max(1, session.limit);
    this.#serve();
    if (this.#isClosed) session.drain();
  }

  sessionFreed(): void {
    this.#serveSoon();
  }

  sessionLeft(session: Http2UpstreamSession, error: TransportError | undefined): void {
    if (error !== undefined) return this.#openFailed(session, error);
    this.#sessions.delete(session);
    if (session.isLost) this.#draining.delete(session);
    else this.#draining.add(session);
    this.#serveSoon();
  }

  #wait(upstream: Upstream, stream: Http2UpstreamStream, timeoutMs: number): void {
    const expired = (): void => {
      this.#waiting.delete(stream);
      stream.refused(this.#error("ETIMEDOUT", `no place within ${timeoutMs} ms`));
    };
    const cancelTimeout = this.#options.clock.after(timeoutMs, expired);
    this.#waiting.set(stream, { upstream, stream, timeoutMs, cancelTimeout });
    this.#serveSoon();
  }

  /** Not at once: nobody may be called back from inside a method of a connection. */
  #serveSoon(): void {
    if (this.#waiting.size > 0) queueMicrotask(() => this.#serve());
  }

  /** Gives places to those who wait, and opens connections for those for whom there is none. */
  #serve(): void {
    for (const { stream } of this.#waiting.values()) {
      const session = this.#sessionWithRoom();
      if (session === undefined) break;
      this.#stopWaiting(stream);
      stream.attach(session);
      stream.connected();
    }
    for (const { timeoutMs } of this.#waiting.values()) {
      const opening = this.#opening.size;
      const isCaredFor = opening > 0 && opening * this.#requestsPerConnection >= this.#waiting.size;
      if (isCaredFor || (!this.#isHttp1 && this.#sessions.size + opening >= MAX_SESSIONS)) break;
      this.#open(timeoutMs);
    }
  }

  #stopWaiting(stream: Http2UpstreamStream): Waiting | undefined {
    const waiting = this.#waiting.get(stream);
    this.#waiting.delete(stream);
    waiting?.cancelTimeout();
    if (this.#isClosed) queueMicrotask(() => this.#endOpening());
    return waiting;
  }

  #open(timeoutMs: number): void {
    const connection = this.#options.transport.connect(connectOptionsOf(this.#options, timeoutMs), {
      ...noHandlers,
      onConnect: (opened) => this.#opened(opened, timeoutMs),
      onClose: (gone, error) => this.#openFailed(gone, error ?? this.#error("ECONNRESET", "it closed the connection")),
    });
    this.#opening.add(connection);
  }

  #endOpening(): void {
    if (this.#waiting.size > 0) return;
    for (const opening of this.#opening) {
      if (opening instanceof Http2UpstreamSession) opening.destroy("it was no longer needed");
      else opening.reset();
    }
  }

  #opened(connection: Connection, timeoutMs: number): void {
    const { backend, protocol, clock } = this.#options;
    if (protocol.kind === "h2c" || connection.tls?.alpnProtocol === "h2") {
      const { address = "", port } = backend;
      const parts = { clock, address, port, timeoutMs, owner: this };
      // It says by itself when it is ready, or that it failed.
      this.#opening.add(new Http2UpstreamSession(connection.toDuplex(NOTHING), parts));
      this.#opening.delete(connection);
    } else if (protocol.kind === "tls" && protocol.offersHttp1) {
      this.#opening.delete(connection);
      this.#isHttp1 = true;
      this.#requestsPerConnection = 1;
      this.#handOver(connection);
      this.#serve();
    } else {
      connection.handlers = noHandlers;
      connection.reset();
      this.#openFailed(
        connection,
        this.#error("EPROTO", "it did not choose HTTP/2 (ALPN h2), which is all that the pool offers"),
      );
    }
  }

  /** The connection speaks HTTP/1.1: it is for the request that waits longest. */
  #handOver(connection: Connection): void {
    const [first] = this.#waiting.keys();
    const waiting = first === undefined ? undefined : this.#stopWaiting(first);
    const { http1 } = this.#options;
    const upstream = waiting?.upstream ?? new Upstream(this.#options, http1);
    upstream.owner = http1;
    upstream.connection = connection;
    connection.handlers = upstream;
    upstream.onConnect();
    if (waiting === undefined) http1.give(upstream);
  }

  /** Those who wait go on waiting as long as something may free a place. */
  #openFailed(opening: Connection | Http2UpstreamSession, error: TransportError): void {
    this.#opening.delete(opening);
    if (!this.#isHttp1 && this.#sessions.size + this.#opening.size > 0) return;
    const losers = Array.from(this.#waiting.keys()).slice(0, this.#isHttp1 ? 1 : undefined);
    for (const stream of losers) {
      this.#stopWaiting(stream);
      stream.refused(error);
    }
  }

  #sessionWithRoom(): Http2UpstreamSession | undefined {
    for (const session of this.#sessions) if (session.room > 0) return session;
    return undefined;
  }

  #upstream(user: UpstreamUser): Upstream {
    const upstream = this.#spare.pop() ?? new Upstream(this.#options, this);
    upstream.isConnected = upstream.isReused = false;
    upstream.begin(user);
    return upstream;
  }

  #stream(upstream: Upstream): Http2UpstreamStream {
    const { address, port } = upstream;
    const scheme = this.#options.protocol.kind === "h2c" ? "http" : "https";
    const onAbandoned = (abandoned: Http2UpstreamStream): void => void this.#stopWaiting(abandoned);
    const stream = new Http2UpstreamStream({ address, port, scheme, onAbandoned }, upstream);
    upstream.connection = stream;
    return stream;
  }

  #error(code: string, reason: string): TransportError {
    const { address = "", port } = this.#options.backend;
    return new TransportError(code, `Cannot connect to ${formatHostPort(address, port)}: ${reason}`);
  }
}
