import { type Client, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";

import type { Cancel, Clock } from "../clock.ts";
import { Auth, KV, Lease, Maintenance, Watch } from "../gen/etcd/etcd_pb.ts";
import { NotConnected, reason } from "./failure.ts";
import type { EtcdTls } from "./options.ts";

/** etcd answers more often than this with GOAWAY, and so to pings without an open stream, which are not sent. */
const PING_INTERVAL_MS = 10_000;
const PING_TIMEOUT_MS = 3000;

export interface EndpointOptions {
  readonly url: string;
  readonly tls: EtcdTls | undefined;
  readonly connectTimeoutMs: number;
  readonly clock: Clock;
  /** Answers the token to send, if there is one. */
  readonly token: () => string | undefined;
}

/** One member of the cluster: one connection, made when it is needed. */
export class Endpoint {
  readonly url: string;
  readonly kv: Client<typeof KV>;
  readonly watch: Client<typeof Watch>;
  readonly lease: Client<typeof Lease>;
  readonly auth: Client<typeof Auth>;
  readonly maintenance: Client<typeof Maintenance>;
  readonly #options: EndpointOptions;
  readonly #session: Http2SessionManager;
  #heardMs: number;

  constructor(options: EndpointOptions) {
    this.url = options.url;
    this.#options = options;
    this.#heardMs = options.clock.now();
    this.#session = new Http2SessionManager(
      options.url,
      { pingIntervalMs: PING_INTERVAL_MS, pingTimeoutMs: PING_TIMEOUT_MS },
      { ...options.tls },
    );
    const transport = createGrpcTransport({
      baseUrl: options.url,
      sessionManager: this.#session,
      interceptors: [this.#interceptor()],
    });
    this.kv = createClient(KV, transport);
    this.watch = createClient(Watch, transport);
    this.lease = createClient(Lease, transport);
    this.auth = createClient(Auth, transport);
    this.maintenance = createClient(Maintenance, transport);
  }

  /** When something last came from there, by the clock. */
  get heardMs(): number {
    return this.#heardMs;
  }

  /** To be called for each message of a stream. */
  heard(): void {
    this.#heardMs = this.#options.clock.now();
  }

  /** Makes the connection, unless there is one; one that was idle for long is tried first. @throws NotConnected */
  async connect(): Promise<void> {
    if (this.#session.state() === "open") return;
    const { clock, connectTimeoutMs } = this.#options;
    let cancel: Cancel = () => {};
    const late = new Promise<never>((_resolve, reject) => {
      cancel = clock.after(connectTimeoutMs, () => {
        const error = new NotConnected(`no connection within ${connectTimeoutMs} ms`);
        this.#session.abort(error);
        reject(error);
      });
    });
    try {
      const outcome = await Promise.race([this.#session.connect(), late]);
      if (outcome === "error") throw notConnected(this.#session.error());
    } finally {
      cancel();
    }
  }

  /** Drops the connection: everything on it fails with `cause` and moves elsewhere. */
  abort(cause: Error): void {
    this.#session.abort(cause);
  }

  #interceptor(): Interceptor {
    return (next) => async (request) => {
      // A member without a leader then says so at once instead of letting the request wait.
      request.header.set("hasleader", "true");
      const token = this.#options.token();
      if (token !== undefined) request.header.set("token", token);
      const response = await next(request);
      this.heard();
      return response;
    };
  }
}

function notConnected(error: unknown): NotConnected {
  return error instanceof NotConnected ? error : new NotConnected(reason(error), { cause: error });
}
