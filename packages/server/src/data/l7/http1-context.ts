import type { Clock } from "../../clock.ts";
import type { Random } from "../../random.ts";
import type { HttpUnit, ListenerUnit } from "../../snapshot/snapshot.ts";
import type { ListenerAccount } from "../l4/listener-account.ts";
import { HeadRequest } from "./head-request.ts";
import type { FindHttpPool } from "./http-pools.ts";
import { encodeText } from "./http1-bytes.ts";
import { RequestHead } from "./http1-head.ts";
import { PoolEdits } from "./pool-edits.ts";
import type { RequestIds } from "./request-id.ts";
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

/** One configuration of a listener, compiled: a request is served by the one that was there when it began. */
export class Http1Context {
  readonly shared: Http1Shared;
  readonly listener: ListenerUnit;
  readonly http: HttpUnit;
  readonly router: Router;
  /** Host for backends of requests that name none. */
  readonly fallbackHost: Uint8Array;
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
    this.router = compileRoutes(http.policies, { defaultPoolId, pathNormalization: http.pathNormalization });
    const host = shared.vip.includes(":") ? `[${shared.vip}]` : shared.vip;
    this.fallbackHost = encodeText(port === HTTP_PORT ? host : `${host}:${port}`);
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
