import type { Lease } from "../balancer.ts";
import { announce, type Announcement, endpointsOf } from "../l4/proxy-protocol.ts";
import type { UpstreamTarget } from "./backend-protocol.ts";
import { cookieValues } from "./cookie.ts";
import type { ExchangeClient } from "./exchange-client.ts";
import type { ForwardedClient } from "./forwarded.ts";
import { cookieHeaders, headerValues } from "./head-request.ts";
import type { HttpPool } from "./http-pools.ts";
import type { Http1Context } from "./http1-context.ts";
import type { RequestHead } from "./http1-head.ts";
import { HeaderName } from "./http1-names.ts";
import type { ByteRanges } from "./http1-ranges.ts";
import type { PoolEdits } from "./pool-edits.ts";
import { requestRewrite, writeRequest } from "./request-writer.ts";
import type { PoolRoute } from "./route-outcome.ts";
import { withoutCookie } from "./session-headers.ts";

/** A request whose head was parsed and whose body, as far as it came, was checked. */
export interface IncomingRequest {
  readonly head: RequestHead;
  /** Which of `head.bytes` belong to the body. */
  readonly body: ByteRanges | undefined;
  readonly isBodyComplete: boolean;
}

/** Where a request goes. */
export interface ChosenPool {
  /** undefined when it is gone, or does not speak HTTP/1. */
  readonly pool: HttpPool | undefined;
  /** The backend that the client's session is with. */
  readonly sessionBackendId: string | undefined;
  /** See {@link HttpPool.hashKey}. */
  readonly hashText: string | undefined;
}

/** The pool of a client's session, else one by weight. */
export function choosePool({ shared }: Http1Context, { pools }: PoolRoute, head: RequestHead): ChosenPool {
  if (head.fields.has(HeaderName.COOKIE)) {
    const cookies = cookieHeaders(head);
    for (const id of pools.ids) {
      const pool = shared.pool(id);
      const sessionBackendId = pool?.sessions?.backendOf(cookies);
      if (sessionBackendId !== undefined) return { pool, sessionBackendId, hashText: hashText(pool, head) };
    }
  }
  const pool = shared.pool(pools.pick(pools.ids.length === 1 ? 0 : shared.random()));
  return { pool, sessionBackendId: undefined, hashText: hashText(pool, head) };
}

/** Several headers of the name count as one, in their order (RFC 9110 §5.3); of several cookies the first does. */
function hashText(pool: HttpPool | undefined, head: RequestHead): string | undefined {
  if (pool?.hashKey === undefined) return undefined;
  const { type, name } = pool.hashKey;
  if (type === "COOKIE") return cookieValues(cookieHeaders(head), name)[0];
  const values = headerValues(head, name);
  return values.length === 0 ? undefined : values.join(", ");
}

/** Where a request goes once its backend is chosen; tells the backend who the client is where the pool says so. */
export function targetOf({ balancer, protocol }: HttpPool, { backend }: Lease, client: ExchangeClient): UpstreamTarget {
  const version = balancer.sendProxyProtocol;
  return version === undefined
    ? { backend, protocol }
    : { backend, protocol, announcement: announcementOf(client, version) };
}

interface Announced {
  readonly version: "V1" | "V2";
  readonly announcement: Announcement;
}

/** Of clients with several requests: who a connection is with never changes. */
const announced = new WeakMap<ExchangeClient, Announced>();

function announcementOf(client: ExchangeClient, version: "V1" | "V2"): Announcement {
  const known = announced.get(client);
  if (known?.version === version) return known.announcement;
  const announcement = announce(version, endpointsOf(client, client.proxied));
  announced.set(client, { version, announcement });
  return announcement;
}

/** How a request leaves for a pool. */
export interface Departure {
  readonly client: ForwardedClient;
  readonly edits: PoolEdits;
  /** Our own cookie in the request, which is no business of backends. */
  readonly ownCookie: string | undefined;
}

/** The bytes that backends get. */
export function writePoolRequest(
  { http, shared, fallbackHost }: Http1Context,
  { head, body }: IncomingRequest,
  { client, edits, ownCookie }: Departure,
): Uint8Array {
  const rewrite = requestRewrite;
  rewrite.forwarded = http.forwardedHeaders;
  rewrite.client = client;
  rewrite.fallbackHost = fallbackHost;
  rewrite.host = edits.host;
  rewrite.prefix = edits.prefixOf(head);
  rewrite.requestId = http.addRequestId ? shared.requestIds.next() : undefined;
  rewrite.edits = edits.request;
  if (ownCookie !== undefined && !edits.request.touches(HeaderName.COOKIE)) {
    rewrite.edits = edits.requestWithoutCookies;
    rewrite.lines = withoutCookie(cookieHeaders(head), ownCookie);
  }
  return writeRequest(head, body);
}
