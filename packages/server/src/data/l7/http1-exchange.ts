import { type Lease, type Refusal, rejectReasonOf, type RevokeReason } from "../balancer.ts";
import type { RejectReason } from "../data-plane.ts";
import type { TransportError } from "../transport/transport.ts";
import { BackendSearch } from "./backend-search.ts";
import type { ExchangeClient } from "./exchange-client.ts";
import { expired } from "./exchange-timeouts.ts";
import { HeaderEdits } from "./header-edits.ts";
import type { Http1Context } from "./http1-context.ts";
import { isIdempotent, Method, type MethodId } from "./http1-names.ts";
import type { ByteRanges } from "./http1-ranges.ts";
import { REFUSED, STREAM_RESET } from "./http2-upstream-stream.ts";
import { type LocalResponse, statusResponse, TOO_MANY_REQUESTS } from "./local-response.ts";
import { choosePool, type IncomingRequest, targetOf, writePoolRequest } from "./pool-request.ts";
import { ResponseRelay } from "./response-relay.ts";
import { answerOf } from "./route-answer.ts";
import type { PoolRoute } from "./route-outcome.ts";
import type { Upstream, UpstreamUser } from "./upstream.ts";
import { FRESH_MS, MAX_IDLE_MS } from "./upstreams.ts";

const IDLE = 0;
const CONNECTING = 1;
const WAITING = 2;
const RELAYING = 3;
const TUNNEL = 4;
/** No backend has a place for it so far. */
const QUEUED = 5;

/**
 * One request of a client and its answer: routes it, has a backend chosen, sends it, tries again where that is safe, and
 * passes the response back. One object a client, for one request after the other.
 */
export class Http1Exchange implements UpstreamUser {
  readonly #client: ExchangeClient;
  readonly #relay = new ResponseRelay();
  readonly #search: BackendSearch;
  readonly #revoked = (reason: RevokeReason): void => this.#revoke(reason);
  #context!: Http1Context;
  #phase = IDLE;
  #method: MethodId = Method.GET;
  #minorVersion = 1;
  #isPersistent = false;
  #isBodyComplete = false;
  #asksUpgrade = false;
  #responseEdits: HeaderEdits = HeaderEdits.none;
  #lease: Lease | undefined;
  #upstream: Upstream | undefined;
  /** Everything of the request that was given to a backend, while it can still be given to another. */
  #replay: Uint8Array | undefined;
  #wasResent = false;
  /** Monotonic milliseconds by which the response must have begun. */
  #deadlineMs = Infinity;

  constructor(client: ExchangeClient) {
    this.#client = client;
    this.#search = new BackendSearch(client, (choice) => this.#leaveQueue(choice));
  }

  /** Serves a request. `answered` may come before this returns. */
  start(context: Http1Context, request: IncomingRequest): void {
    const { head, isBodyComplete } = request;
    this.#context = context;
    this.#method = head.line.method;
    this.#minorVersion = head.line.minorVersion;
    this.#isPersistent = head.isPersistent;
    this.#isBodyComplete = isBodyComplete;
    this.#asksUpgrade = head.upgradesToWebSocket;
    this.#wasResent = false;
    this.#responseEdits = HeaderEdits.none;
    const { router, shared, routeRequest, requestRate } = context;
    this.#startDeadline();
    if (requestRate?.admits(this.#client.clientAddress) === false) {
      shared.account.reject("rate-limit");
      return this.#answer(TOO_MANY_REQUESTS);
    }
    if (this.#method === Method.CONNECT) return this.#answer(statusResponse(501, "CONNECT is not served here"));
    const route = router.route(routeRequest.show(head, this.#client));
    if (route.kind === "pool") this.#toPool(route, request);
    else {
      const { response, rejected } = answerOf(route);
      if (rejected !== undefined) shared.account.reject(rejected);
      this.#answer(response);
    }
  }

  /** More of the request's body. */
  sendBody(bytes: Uint8Array, body: ByteRanges, isBodyComplete: boolean): void {
    this.#isBodyComplete = isBodyComplete;
    // What goes on now is not kept: the request can't be given to another backend any more.
    this.#replay = undefined;
    for (let i = 0; i < body.count; i++) this.#send(bytes.subarray(body.start(i), body.end(i)));
  }

  /** Bytes of a tunnel. */
  sendTunnel(bytes: Uint8Array): void {
    this.#send(bytes);
  }

  /** The client has ended its side of a tunnel. */
  endTunnel(): void {
    this.#upstream?.connection?.shutdown();
  }

  /** The client takes bytes again. */
  clientDrained(): void {
    this.#relay.isBlocked = false;
    this.#upstream?.connection?.resume();
  }

  /** The client is gone, or its request turned out to be broken. */
  abort(): void {
    this.#upstream?.abort();
    this.#end();
  }

  /** Whether the head of the response has not been sent. */
  get isUnanswered(): boolean {
    return this.#phase === CONNECTING || this.#phase === WAITING || this.#phase === QUEUED;
  }

  /** Answers instead of the backend, giving the request up; a response that has begun is cut. */
  giveUp(status: number, reason: RejectReason): void {
    this.#context.shared.account.reject(reason);
    if (reason === "bad-response" || reason === "backend-timeout") this.#lease?.judge("failure");
    const { isUnanswered } = this;
    this.abort();
    if (isUnanswered) this.#answer({ ...statusResponse(status), reason });
    else this.#client.cut();
  }

  /**
   * Looks whether a timeout is over.
   * @param quietMs how long neither side has moved a byte.
   */
  tick(nowMs: number, quietMs: number): void {
    const connection = this.#upstream?.connection;
    // A connect has its own timeout, and so has the queue.
    if (this.#phase === CONNECTING || this.#phase === IDLE || connection === undefined) return;
    const timeout = expired({
      phase: this.#phase === WAITING ? "response" : this.#phase === TUNNEL ? "tunnel" : "body",
      nowMs,
      deadlineMs: this.#deadlineMs,
      quietMs,
      backendIdleTimeoutMs: this.#context.http.backendIdleTimeoutMs,
      clientIdleTimeoutMs: this.#context.listener.clientIdleTimeoutMs,
      isBackendsTurn: this.#isBodyComplete || connection.pendingBytes > 0,
      isBlocked: this.#relay.isBlocked,
    });
    if (timeout === undefined) return;
    if (this.#phase !== TUNNEL) return this.giveUp(timeout.status, timeout.reason);
    this.abort();
    this.#client.cut();
  }

  upstreamConnected(): void {
    this.#lease?.connected();
    this.#phase = WAITING;
    this.#send(this.#replay as Uint8Array);
    this.#client.resumeBody();
  }

  upstreamData(bytes: Uint8Array): void {
    const upstream = this.#upstream as Upstream;
    this.#lease?.count(0, bytes.length);
    if (this.#phase === TUNNEL) return this.#toClient(bytes);
    if (this.#phase === RELAYING) return this.#relayed(this.#relay.readBody(upstream, bytes));
    this.#replay = undefined;
    this.#readHead(upstream, bytes);
  }

  upstreamDrained(): void {
    this.#client.resumeBody();
  }

  upstreamEnded(): void {
    if (this.#phase === TUNNEL) return this.#client.endTunnel();
    if (this.#phase !== RELAYING || !this.#relay.finish(this.#upstream as Upstream)) return this.#backendFailed();
    const end = this.#relay.end;
    if (end.length > 0) this.#toClient(end);
    this.#complete();
  }

  upstreamClosed(error: TransportError | undefined): void {
    if (this.#phase === CONNECTING) return this.#connectFailed();
    if (this.#phase === WAITING && error?.code === REFUSED) return this.#refusedUnseen();
    if (this.#phase !== TUNNEL) return this.#backendFailed(error);
    this.#end();
    if (error === undefined) this.#client.answered(false);
    else this.#client.cut();
  }

  /** Chooses the pool, writes the request and sends it. */
  #toPool(route: PoolRoute, request: IncomingRequest): void {
    const context = this.#context;
    const edits = context.editsOf(route);
    const { pool, sessionBackendId: session, hashText } = choosePool(context, route, request.head);
    if (pool === undefined) return this.#refuse("no-pool");
    this.#client.hashText = hashText;
    this.#responseEdits = edits.response;
    const ownCookie = session === undefined ? undefined : pool.sessions?.cookieName;
    this.#replay = writePoolRequest(context, request, { client: this.#client.forwarded, edits, ownCookie });
    const choice = this.#search.begin(pool, session);
    if (choice !== "waiting") return this.#settle(choice);
    this.#phase = QUEUED;
    if (!this.#isBodyComplete) this.#client.pauseBody();
  }

  /** The wait for a place is over; how long it was is no fault of the backend's. */
  #leaveQueue(choice: Lease | Refusal): void {
    this.#startDeadline();
    this.#settle(choice);
    if (this.#phase === WAITING) this.#client.resumeBody();
  }

  #settle(choice: Lease | Refusal): void {
    if (choice.kind === "refusal") return this.#refuse(rejectReasonOf(choice), choice.reason);
    const target = targetOf(this.#search.pool, choice, this.#client);
    const maxIdleMs = isIdempotent(this.#method) ? MAX_IDLE_MS : FRESH_MS;
    const upstream = this.#context.shared.upstreams.take(target, maxIdleMs, this);
    if (upstream === undefined) return this.#connect(choice);
    this.#lease = choice;
    choice.onRevoke = this.#revoked;
    choice.connected();
    this.#upstream = upstream;
    this.#phase = WAITING;
    this.#send(this.#replay as Uint8Array);
  }

  #startDeadline(): void {
    const { http, shared } = this.#context;
    this.#deadlineMs = http.requestTimeoutMs > 0 ? shared.clock.nowMs() + http.requestTimeoutMs : Infinity;
  }

  #connect(lease: Lease): void {
    this.#search.attempts++;
    this.#lease = lease;
    lease.onRevoke = this.#revoked;
    this.#phase = CONNECTING;
    this.#client.pauseBody();
    const { listener, shared } = this.#context;
    const target = targetOf(this.#search.pool, lease, this.#client);
    this.#upstream = shared.upstreams.connect(target, listener.backendConnectTimeoutMs, this);
  }

  #send(bytes: Uint8Array): void {
    this.#lease?.count(bytes.length, 0);
    if (this.#upstream?.connection?.write(bytes) === false) this.#client.pauseBody();
  }

  #toClient(bytes: Uint8Array): void {
    this.#relay.isBlocked = !this.#client.write(bytes);
    if (this.#relay.isBlocked) this.#upstream?.connection?.pause();
  }

  /** Interim responses, then the response itself. */
  #readHead(upstream: Upstream, bytes: Uint8Array): void {
    const relay = this.#relay;
    for (let state = relay.readHead(upstream, bytes); ; state = relay.readOn(upstream)) {
      if (state === "incomplete") return;
      if (state === "failed") return this.giveUp(502, "bad-response");
      const { status } = upstream.head.line;
      if (status === 101) return this.#switch(upstream);
      if (status >= 200) return this.#respond(upstream);
      // HTTP/1.0 knows no interim responses (RFC 9110 §15.2).
      if (this.#minorVersion === 1) this.#toClient(relay.writeInterim(upstream));
    }
  }

  #respond(upstream: Upstream): void {
    const { isDraining, clock } = this.#context.shared;
    const written = this.#relay.begin(upstream, {
      method: this.#method,
      minorVersion: this.#minorVersion,
      keepAlive: this.#isPersistent && this.#isBodyComplete && !isDraining,
      hsts: this.#context.hsts,
      edits: this.#responseEdits,
      lines: this.#search.sessionLine(upstream, clock),
    });
    if (upstream.body.state === "failed") return this.giveUp(502, "bad-response");
    this.#lease?.judge(upstream.head.line.status >= 500 ? "failure" : "success");
    this.#phase = RELAYING;
    this.#deadlineMs = Infinity;
    this.#relayed(written);
  }

  /** Passes on what was read of the response, and ends with it. */
  #relayed(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#toClient(bytes);
    const { state } = (this.#upstream as Upstream).body;
    if (state === "done") this.#complete();
    else if (state === "failed") this.giveUp(502, "bad-response");
  }

  #complete(): void {
    const upstream = this.#upstream as Upstream;
    const isReusable = this.#isBodyComplete && this.#relay.leavesOpen;
    const { keepAlive } = this.#relay;
    if (this.#relay.isBlocked) upstream.connection?.resume();
    if (isReusable) this.#context.shared.upstreams.give(upstream);
    else if (this.#isBodyComplete) {
      upstream.user = undefined;
      upstream.connection?.close();
    } else upstream.abort();
    this.#end();
    this.#client.answered(keepAlive);
  }

  /** 101: what follows is another protocol, for which both sides must have asked. */
  #switch(upstream: Upstream): void {
    if (!this.#asksUpgrade) return this.giveUp(502, "bad-response");
    this.#lease?.judge("success");
    const { written, rest } = this.#relay.beginTunnel(upstream, this.#responseEdits);
    this.#phase = TUNNEL;
    this.#deadlineMs = Infinity;
    this.#toClient(written);
    if (rest.length > 0) this.#toClient(rest);
    this.#client.startTunnel();
  }

  /** Nothing was delivered: any request may be given to another backend. */
  #connectFailed(): void {
    this.#lease?.failed();
    this.#tryAnother();
  }

  #tryAnother(): void {
    const failed = this.#lease;
    const replay = this.#replay;
    this.#end();
    this.#replay = replay;
    const choice = this.#search.another(failed);
    // What the backends tried had to say is the truth; that no other is left is not.
    if (choice === undefined) this.#refuse("connect-failed");
    else this.#connect(choice);
  }

  /** The backend ended or broke the connection before it had answered, or in the middle of it. */
  #backendFailed(error?: TransportError): void {
    const upstream = this.#upstream as Upstream;
    const mayArriveTwice = this.#replay !== undefined && isIdempotent(this.#method);
    if (this.#phase !== WAITING || !mayArriveTwice) return this.giveUp(502, "bad-response");
    if (upstream.isReused && error?.code !== STREAM_RESET) return this.#replaceStale();
    if (this.#wasResent) return this.giveUp(502, "bad-response");
    this.#wasResent = true;
    this.#lease?.judge("failure");
    upstream.abort();
    this.#tryAnother();
  }

  /** A connection that the backend had closed while it was idle says nothing about the backend. */
  #replaceStale(): void {
    const lease = this.#lease as Lease;
    this.#upstream?.abort();
    this.#connect(lease);
  }

  /** The backend lets go of a request that it has not looked at, mostly because it closes the connection (GOAWAY). */
  #refusedUnseen(): void {
    if (this.#replay === undefined) return this.giveUp(502, "backend-lost");
    if (this.#wasResent) return this.#connectFailed();
    this.#wasResent = true;
    this.#replaceStale();
  }

  /** The backend goes away. A request that may be given to another is; any other is cut. */
  #revoke(reason: RevokeReason): void {
    const isSafe = this.#phase === CONNECTING || (this.#phase === WAITING && isIdempotent(this.#method));
    if (reason === "shutdown" || !isSafe || this.#replay === undefined) return this.giveUp(502, "backend-lost");
    this.#upstream?.abort();
    this.#tryAnother();
  }

  #refuse(reason: RejectReason, why: string = reason): void {
    this.#context.shared.account.reject(reason);
    this.#end();
    this.#answer({ ...statusResponse(503), reason: why });
  }

  #answer(full: LocalResponse): void {
    const keepAlive = this.#isPersistent && this.#isBodyComplete && !this.#context.shared.isDraining;
    const implied = this.#minorVersion === 1 ? "implied" : "keep-alive";
    const isHead = this.#method === Method.HEAD;
    this.#client.write(this.#context.render(full, { connection: keepAlive ? implied : "close", isHead }));
    this.#client.answered(keepAlive);
  }

  /** Lets go of the backend. */
  #end(): void {
    this.#phase = IDLE;
    this.#deadlineMs = Infinity;
    this.#search.stop();
    this.#replay = this.#upstream = undefined;
    this.#relay.isBlocked = false;
    const lease = this.#lease;
    this.#lease = undefined;
    if (lease === undefined) return;
    lease.onRevoke = undefined;
    lease.release();
  }
}
