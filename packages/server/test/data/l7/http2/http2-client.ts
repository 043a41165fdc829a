import { once } from "node:events";
import http2 from "node:http2";

import type { ListeningSocket } from "../../../../src/data/transport/transport.ts";

/** What node's own client made of a response. */
export interface Answer {
  readonly status: number;
  readonly headers: http2.IncomingHttpHeaders;
  readonly interim: readonly number[];
  readonly body: string;
  readonly trailers: http2.IncomingHttpHeaders;
  /** Code of RST_STREAM; 0 = the stream ended in order. */
  readonly rstCode: number;
}

/** Node's own HTTP/2 client, with prior knowledge. */
export class Http2Client {
  readonly session: http2.ClientHttp2Session;

  private constructor(session: http2.ClientHttp2Session) {
    this.session = session;
    session.on("error", () => undefined);
  }

  static async connect({ port }: ListeningSocket, options: http2.ClientSessionOptions = {}): Promise<Http2Client> {
    const session = http2.connect(`http://127.0.0.1:${port}`, options);
    await once(session, "connect");
    return new Http2Client(session);
  }

  /** A request that ends by itself when there is no body. */
  request(
    headers: http2.OutgoingHttpHeaders = {},
    options?: http2.ClientSessionRequestOptions,
  ): http2.ClientHttp2Stream {
    return this.session.request({ ":path": "/", ":authority": "app.example", ...headers }, options);
  }

  /** Asks and waits for the whole answer. */
  async ask(headers: http2.OutgoingHttpHeaders = {}, body?: string | Uint8Array): Promise<Answer> {
    const stream = this.request(headers, { endStream: body === undefined });
    const answer = answerOf(stream);
    if (body !== undefined) stream.end(body);
    return answer;
  }

  close(): void {
    this.session.destroy();
  }
}

/** Everything that comes on the stream, until it is closed. */
export function answerOf(stream: http2.ClientHttp2Stream): Promise<Answer> {
  let headers: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader = {};
  let trailers: http2.IncomingHttpHeaders = {};
  const interim: number[] = [];
  const chunks: Buffer[] = [];
  stream.on("headers", (head: http2.IncomingHttpStatusHeader) => interim.push(head[":status"] ?? 0));
  stream.on("response", (head) => (headers = head));
  stream.on("trailers", (fields) => (trailers = fields));
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.on("error", () => undefined);
  return new Promise((resolve) => {
    stream.on("close", () => {
      const body = Buffer.concat(chunks).toString("latin1");
      const { ":status": status = 0, ...rest } = headers;
      resolve({ status, headers: rest, interim, body, trailers, rstCode: stream.rstCode ?? 0 });
    });
  });
}
