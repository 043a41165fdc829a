import { once } from "node:events";
import http2, { type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";

/** A request as a backend sees it: its stream, its headers, and its body as far as it came. */
export class SeenStream {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  /** Name and value in turn, as they came. */
  readonly rawHeaders: readonly string[];
  readonly chunks: Buffer[] = [];
  trailers: IncomingHttpHeaders | undefined;
  readonly closed: Promise<unknown>;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, rawHeaders: readonly string[]) {
    this.stream = stream;
    this.headers = headers;
    this.rawHeaders = rawHeaders;
    stream.on("error", () => {});
    stream.on("trailers", (trailers: IncomingHttpHeaders) => (this.trailers = trailers));
    this.closed = new Promise((resolve) => void stream.once("close", resolve));
  }

  /** Reads the request's body to its end. */
  async body(): Promise<Buffer> {
    for await (const chunk of this.stream) this.chunks.push(chunk as Buffer);
    return Buffer.concat(this.chunks);
  }

  /** Resolves when so many bytes of the body have come. */
  async bodyAtLeast(bytes: number): Promise<Buffer> {
    const { stream } = this;
    while (Buffer.concat(this.chunks).length < bytes) {
      const chunk = stream.read() as Buffer | null;
      if (chunk === null) await once(stream, "readable");
      else this.chunks.push(chunk);
    }
    return Buffer.concat(this.chunks);
  }

  respond(headers: http2.OutgoingHttpHeaders = {}, body?: string | Uint8Array): void {
    this.stream.respond({ ":status": 200, ...headers }, { sendDate: false } as http2.ServerStreamResponseOptions);
    if (body !== undefined) this.stream.end(body);
  }

  /** Resets the stream; unlike `close` of node:http2 it does not end it before, which would look complete. */
  cut(error?: Error): void {
    this.stream.destroy(error);
  }

  /** Answers with trailers after the body. */
  respondWithTrailers(
    body: string,
    trailers: http2.OutgoingHttpHeaders,
    headers: http2.OutgoingHttpHeaders = {},
  ): void {
    this.stream.respond({ ":status": 200, ...headers }, { waitForTrailers: true });
    this.stream.on("wantTrailers", () => this.stream.sendTrailers(trailers));
    this.stream.end(body);
  }
}

/** Megabytes: a test's response may wait in the backend whole. */
const ROOMY = { maxSessionMemory: 200 };

/** A backend on node:http2 that hands out its requests in order, and answers none by itself. */
export class Http2Backend {
  readonly sessions: ServerHttp2Session[] = [];
  readonly streams: SeenStream[] = [];
  /** Called with each new session. */
  onSession: ((session: ServerHttp2Session) => void) | undefined;
  /** Called with each request instead of keeping it for {@link next}. */
  onRequest: ((seen: SeenStream) => void) | undefined;
  readonly #server: http2.Http2Server;
  readonly #waiting: ((seen: SeenStream) => void)[] = [];
  #handedOut = 0;

  private constructor(server: http2.Http2Server) {
    this.#server = server;
    server.on("session", (session) => {
      this.sessions.push(session);
      this.onSession?.(session);
      session.on("error", () => {});
    });
    server.on("sessionError", () => {});
    server.on("stream", (stream, headers, _flags, rawHeaders) => {
      const seen = new SeenStream(stream as ServerHttp2Stream, headers, rawHeaders);
      if (this.onRequest !== undefined) return this.onRequest(seen);
      this.streams.push(seen);
      const waiting = this.#waiting.shift();
      if (waiting === undefined) return;
      this.#handedOut++;
      waiting(seen);
    });
  }

  static async listen(options: http2.ServerOptions = {}): Promise<Http2Backend> {
    return Http2Backend.#on(http2.createServer({ ...ROOMY, ...options }), 0);
  }

  /** Speaks TLS. */
  static async listenSecure(options: http2.SecureServerOptions): Promise<Http2Backend> {
    return Http2Backend.#on(http2.createSecureServer({ ...ROOMY, ...options }), 0);
  }

  static async #on(server: http2.Http2Server, port: number): Promise<Http2Backend> {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    return new Http2Backend(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The next request that nobody has asked for yet. */
  next(): Promise<SeenStream> {
    const seen = this.streams[this.#handedOut];
    if (seen === undefined) return new Promise((resolve) => void this.#waiting.push(resolve));
    this.#handedOut++;
    return Promise.resolve(seen);
  }

  /** Sessions that are open now. */
  get openSessions(): number {
    return this.sessions.filter((session) => !session.destroyed).length;
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    for (const session of this.sessions) session.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}
