import { HTTP2_CLEARTEXT } from "../../../src/data/l7/backend-protocol.ts";
import type { Peer } from "../transport/peer.ts";
import { forget, HttpRig, receives, type RigListener } from "./http-rig.ts";
import { Http2Backend, type SeenStream } from "./http2-backend.ts";

/** An HTTP listener between HTTP/1.1 clients and HTTP/2 backends in cleartext. */
export class Http2UpstreamRig extends HttpRig {
  readonly #servers: Http2Backend[] = [];

  constructor(listener: RigListener = {}) {
    super(listener, { protocol: HTTP2_CLEARTEXT });
  }

  async http2Backend(id = "backend", options = {}): Promise<Http2Backend> {
    const server = await Http2Backend.listen(options);
    this.#servers.push(server);
    this.balancer.add(id, server.port);
    return server;
  }

  override async close(): Promise<void> {
    await super.close();
    await Promise.all(this.#servers.map((server) => server.close()));
  }
}

/** Sends a request and waits until the backend has its head. */
export async function ask(client: Peer, server: Http2Backend, request: string): Promise<SeenStream> {
  await client.send(request);
  return server.next();
}

/** Waits for a whole response that has a length or chunks, and forgets it. */
export async function response(client: Peer, pattern: RegExp): Promise<string> {
  const text = await receives(client, pattern);
  forget(client);
  return text;
}
