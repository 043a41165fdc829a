import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** An HTTP/1.1 backend. */
export interface WebServer {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** Requests that came, health checks by TCP not among them. */
  readonly requests: number;
  readonly server: Server;
  /** Ends it with all its connections. */
  close(): Promise<void>;
}

/** What a backend was asked, as {@link startWebServer}'s default tells it. */
export interface Seen {
  readonly name: string;
  readonly method: string;
  readonly url: string;
  /** Length of the request's body. */
  readonly bytes: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** Where a backend listens and what it answers. */
export interface WebServerOptions {
  /** Default 127.0.0.1. One that will come back to its port needs an address that no client calls from. */
  readonly host?: string;
  /** Default: any. */
  readonly port?: number;
  /** Default: tells what it was asked, as JSON. The response has X-Backend already. */
  readonly handle?: RequestListener;
}

/** Starts a backend that says its name in X-Backend. */
export async function startWebServer(name: string, options: WebServerOptions = {}): Promise<WebServer> {
  const { host = "127.0.0.1", port = 0, handle = tell } = options;
  let requests = 0;
  const server = createServer((incoming, response) => {
    requests += 1;
    response.setHeader("X-Backend", name);
    handle(incoming, response);
  });
  server.listen(port, host);
  await once(server, "listening");
  return {
    name,
    host,
    port: (server.address() as AddressInfo).port,
    server,
    get requests() {
      return requests;
    },
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Starts several at once. */
export const startWebServers = (...names: readonly string[]): Promise<readonly WebServer[]> =>
  Promise.all(names.map((name) => startWebServer(name)));

const tell: RequestListener = (incoming, response) => {
  void lengthOf(incoming).then((bytes) => {
    const { method, url, headers } = incoming;
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify({ name: response.getHeader("x-backend"), method, url, bytes, headers }));
  });
};

/** Reads a request's body to its end; never resolves when the client leaves before. */
export async function lengthOf(incoming: IncomingMessage): Promise<number> {
  let bytes = 0;
  incoming.on("data", (chunk: Buffer) => (bytes += chunk.length));
  await new Promise<void>((resolve) => void incoming.on("end", resolve));
  return bytes;
}
