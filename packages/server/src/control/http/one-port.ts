import * as http from "node:http";
import * as http2 from "node:http2";
import * as net from "node:net";
import * as tls from "node:tls";

import type { Clock } from "../../clock.ts";

/** Answers a request of either HTTP version. */
export type HttpHandler = (
  req: http.IncomingMessage | http2.Http2ServerRequest,
  res: http.ServerResponse | http2.Http2ServerResponse,
) => void;

/** Keys of a TLS server, PEM. */
export interface TlsMaterial {
  readonly cert: string | Uint8Array;
  readonly key: string | Uint8Array;
  /** When given, every client must show a certificate that one of these signed (mTLS). */
  readonly clientCa?: string | Uint8Array | undefined;
}

export interface OnePortOptions {
  readonly clock: Clock;
  /** Absent: cleartext. */
  readonly tls?: TlsMaterial | undefined;
  /** A connection that has not sent its first bytes, or ended its TLS handshake, for so long is closed. Default 10000. */
  readonly handshakeTimeoutMs?: number;
  /** A request whose head is not complete for so long is answered 408. Default 10000. */
  readonly headersTimeoutMs?: number;
  /** An HTTP/1.1 request that is not complete for so long, body included, is answered 408. Default 60000. */
  readonly requestTimeoutMs?: number;
  /** An HTTP/1.1 connection without a request for so long is closed. Default 60000. */
  readonly keepAliveTimeoutMs?: number;
  /** Streams that one HTTP/2 connection may have open. Default 250. */
  readonly maxConcurrentStreams?: number;
  /** Connections at once. Default 10000; those beyond are closed unanswered. */
  readonly maxConnections?: number;
}

/** HTTP/1.1 and HTTP/2 on one port. */
export interface OnePortServer {
  /** Rejects with the system's error, for example EADDRINUSE. */
  listen(port: number, host?: string): Promise<net.AddressInfo>;
  /** Presents other keys to connections from now on. Cleartext servers refuse with an error. */
  replaceTls(material: TlsMaterial): void;
  /** Stops accepting, lets running requests finish for up to `graceMs`, then cuts them. */
  close(graceMs: number): Promise<void>;
}

/** First bytes of an HTTP/2 connection (RFC 9113 §3.4). No HTTP/1 method begins so. */
const HTTP2_PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

const MAX_HEADER_BYTES = 32 * 1024;

/**
 * Tells the HTTP version of each connection, by ALPN under TLS and else by its first bytes, and gives the socket to
 * Node's server for that version.
 */
export function createOnePortServer(handler: HttpHandler, options: OnePortOptions): OnePortServer {
  const h1 = createHttp1(handler, options);
  const h2 = http2.createServer(
    { settings: { maxConcurrentStreams: options.maxConcurrentStreams ?? 250, maxHeaderListSize: MAX_HEADER_BYTES } },
    handler,
  );
  const connections = trackConnections(h2);
  const handshakeTimeoutMs = options.handshakeTimeoutMs ?? 10_000;
  const onSocket = (socket: net.Socket): void => {
    connections.sockets.add(socket);
    socket.once("close", () => connections.sockets.delete(socket));
    if (socket instanceof tls.TLSSocket) (socket.alpnProtocol === "h2" ? h2 : h1).emit("connection", socket);
    else sniff(socket, { h1, h2, clock: options.clock, timeoutMs: handshakeTimeoutMs });
  };
  const server = createListener(onSocket, options, handshakeTimeoutMs);
  server.maxConnections = options.maxConnections ?? 10_000;
  return {
    listen: (port, host) => listen(server, h1, { port, host }),
    replaceTls(material) {
      if (!(server instanceof tls.Server)) throw new Error("Cannot replace TLS keys: the server speaks cleartext");
      server.setSecureContext(secureContext(material));
    },
    close: (graceMs) => close(server, h1, { ...connections, clock: options.clock, graceMs }),
  };
}

function createHttp1(handler: HttpHandler, options: OnePortOptions): http.Server {
  const headersTimeout = options.headersTimeoutMs ?? 10_000;
  return http.createServer(
    {
      headersTimeout,
      // Of the request alone: streams go from server to client over HTTP/1.1.
      requestTimeout: options.requestTimeoutMs ?? 60_000,
      keepAliveTimeout: options.keepAliveTimeoutMs ?? 60_000,
      maxHeaderSize: MAX_HEADER_BYTES,
      connectionsCheckingInterval: Math.min(headersTimeout, 1000),
    },
    handler,
  );
}

function createListener(
  onSocket: (socket: net.Socket) => void,
  { tls: material }: OnePortOptions,
  handshakeTimeout: number,
): net.Server {
  if (material === undefined) return net.createServer({ noDelay: true }, onSocket);
  const server = tls.createServer(
    { ...secureContext(material), ALPNProtocols: ["h2", "http/1.1"], handshakeTimeout, noDelay: true },
    onSocket,
  );
  // A failed handshake is the client's affair; without a listener Node keeps its socket.
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  return server;
}

function secureContext({ cert, key, clientCa }: TlsMaterial): tls.TlsOptions {
  const base: tls.TlsOptions = { cert: Buffer.from(cert), key: Buffer.from(key), minVersion: "TLSv1.2" };
  if (clientCa === undefined) return base;
  return { ...base, ca: Buffer.from(clientCa), requestCert: true, rejectUnauthorized: true };
}

interface Connections {
  readonly sockets: Set<net.Socket>;
  readonly sessions: Set<http2.ServerHttp2Session>;
}

function trackConnections(h2: http2.Http2Server): Connections {
  const sessions = new Set<http2.ServerHttp2Session>();
  h2.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  return { sockets: new Set(), sessions };
}

interface SniffOptions {
  readonly h1: http.Server;
  readonly h2: http2.Http2Server;
  readonly clock: Clock;
  readonly timeoutMs: number;
}

function sniff(socket: net.Socket, { h1, h2, clock, timeoutMs }: SniffOptions): void {
  const cancelTimeout = clock.after(timeoutMs, () => socket.destroy());
  const onError = (): unknown => socket.destroy();
  let head: Buffer = Buffer.alloc(0);
  const onReadable = (): void => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return;
    head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
    const compared = Math.min(head.length, HTTP2_PREFACE.length);
    const isHttp2 = head.subarray(0, compared).equals(HTTP2_PREFACE.subarray(0, compared));
    if (isHttp2 && compared < HTTP2_PREFACE.length) return; // undecided: wait for more
    cancelTimeout();
    socket.off("readable", onReadable);
    socket.off("error", onError);
    socket.unshift(head);
    (isHttp2 ? h2 : h1).emit("connection", socket);
  };
  socket.on("error", onError);
  socket.on("readable", onReadable);
  socket.once("close", cancelTimeout);
}

function listen(
  server: net.Server,
  h1: http.Server,
  { port, host }: { port: number; host: string | undefined },
): Promise<net.AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, ...(host === undefined ? {} : { host }) }, () => {
      server.off("error", reject);
      // An http.Server that never listens itself does not watch its connections: without this event headersTimeout and
      // closeIdleConnections() do nothing.
      h1.emit("listening");
      resolve(server.address() as net.AddressInfo);
    });
  });
}

async function close(
  server: net.Server,
  h1: http.Server,
  { sockets, sessions, clock, graceMs }: Connections & { readonly clock: Clock; readonly graceMs: number },
): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  for (const session of sessions) session.close(); // GOAWAY; open streams may end
  h1.close(() => undefined); // ends idle connections and the check of timeouts
  const cancel = clock.after(graceMs, () => {
    for (const socket of sockets) socket.destroy();
  });
  await closed;
  cancel();
}
