import type { Clock } from "../../clock.ts";
import type { Random } from "../../random.ts";
import type { HttpUnit, ListenerUnit } from "../../snapshot/snapshot.ts";
import type { ListenerAccount } from "../l4/listener-account.ts";
import type { SourceRate } from "../rate/source-rates.ts";
import type { Connection } from "../transport/transport.ts";
import { clientCertificateLines } from "./client-certificate.ts";
import { ForwardedClient } from "./forwarded.ts";
import { HeadRequest } from "./head-request.ts";
import type { FindHttpPool } from "./http-pools.ts";
import { encodeText } from "./http1-bytes.ts";
import { RequestHead } from "./http1-head.ts";
import { type LocalResponse, type LocalResponseOptions, renderResponse } from "./local-response.ts";
import { PoolEdits } from "./pool-edits.ts";
import type { RequestIds } from "./request-id.ts";
import { hstsLine } from "./response-headers.ts";
import type { PoolRoute } from "./route-outcome.ts";
import { compileRoutes, type Router } from "./router.ts";
import type { Upstreams } from "./upstreams.ts";

/** What all configurations of one listener in one worker share. */
export interface Http1Shared {
  /** The load balancer's VIP, canonical text. */
  readonly vip: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly account: ListenerAccount;
  readonly upstreams: Upstreams;
  readonly requestIds: RequestIds;
  readonly pool: FindHttpPool;
  /** The listener goes: connections close after the response at hand. */
  isDraining: boolean;
}

const HTTP_PORT = 80;
const HTTPS_PORT = 443;

/** One configuration of a listener, compiled: a request is served by the one that was there when it began. */
export class Http1Context {
  readonly shared: Http1Shared;
  readonly listener: ListenerUnit;
  readonly http: HttpUnit;
  readonly router: Router;
  /** Host for backends of requests that name none. */
  readonly fallbackHost: Uint8Array;
  /** `max-age` of Strict-Transport-Security on every response; 0 in cleartext, where RFC 6797 §7.2 forbids it. */
  readonly hstsMaxAgeS: number;
  /** The whole line. */
  readonly hsts: Uint8Array | undefined;
  /** What one source may ask in a second; undefined = anything. */
  readonly requestRate: SourceRate | undefined;
  /** For the router; one request is routed at a time. */
  readonly routeRequest = new HeadRequest();
  readonly #heads: RequestHead[] = [];
  readonly #edits = new WeakMap<PoolRoute, PoolEdits>();

  constructor(listener: ListenerUnit, shared: Http1Shared) {
    const { http, port, defaultPoolId } = listener;
    if (http === undefined)
      throw new Error(`Cannot serve HTTP on listener ${listener.name}: its unit has no HTTP part`);
    this.listener = listener;
    this.http = http;
    this.shared = shared;
    this.requestRate = shared.account.rates?.requests;
    this.router = compileRoutes(http.policies, { defaultPoolId, pathNormalization: http.pathNormalization });
    const host = shared.vip.includes(":") ? `[${shared.vip}]` : shared.vip;
    const isSecure = listener.tls !== undefined;
    this.fallbackHost = encodeText(port === (isSecure ? HTTPS_PORT : HTTP_PORT) ? host : `${host}:${port}`);
    this.hstsMaxAgeS = isSecure ? http.hstsMaxAgeS : 0;
    this.hsts = this.hstsMaxAgeS > 0 ? hstsLine(this.hstsMaxAgeS) : undefined;
  }

  /** A parser for one head; to be given back. Only heads that come in pieces hold one for longer than a moment. */
  borrowHead(): RequestHead {
    const head = this.#heads.pop() ?? new RequestHead(this.#headLimits);
    head.reset();
    return head;
  }

  returnHead(head: RequestHead): void {
    if (this.#heads.length === 0) this.#heads.push(head);
  }

  /** What backends are told of a client. */
  forwardedClient({ remoteAddress: address, tls }: Connection): ForwardedClient {
    const { port, tls: unit } = this.listener;
    const certificateLines = clientCertificateLines(tls, unit !== undefined && unit.clientAuth !== "NONE");
    return new ForwardedClient({ address, protocol: tls === undefined ? "http" : "https", port, certificateLines });
  }

  /** The bytes of a response of our own; why it came to this is said only where the listener says so. */
  render(full: LocalResponse, options: Omit<LocalResponseOptions, "hstsMaxAgeS">): Uint8Array {
    const { reason: _, ...plain } = full;
    const response = this.http.exposeReasonHeader ? full : plain;
    return renderResponse(response, { ...options, hstsMaxAgeS: this.hstsMaxAgeS });
  }

  /** What a route changes in heads. */
  editsOf(route: PoolRoute): PoolEdits {
    let edits = this.#edits.get(route);
    if (edits === undefined) {
      edits = new PoolEdits(route);
      this.#edits.set(route, edits);
    }
    return edits;
  }

  get #headLimits() {
    const { maxUriBytes, maxRequestHeaderBytes: maxHeaderBytes, maxHeaderCount } = this.http;
    return { maxUriBytes, maxHeaderBytes, maxHeaderCount };
  }
}
