import type { Clock } from "../../clock.ts";
import type { Random } from "../../random.ts";
import type { ListenerUnit } from "../../snapshot/snapshot.ts";
import type { Balancer, RevokeReason } from "../balancer.ts";
import type { RejectReason } from "../data-plane.ts";
import type { Proxy } from "../proxy.ts";
import type { Connection, Transport } from "../transport/transport.ts";
import { AllowedCidrs } from "./allowed-cidrs.ts";
import { type ClientHelloResult, parseClientHello } from "./client-hello.ts";
import { IdleSweep } from "./idle-sweep.ts";
import type { ListenerAccount } from "./listener-account.ts";
import { type OpeningFailure, Openings } from "./openings.ts";
import { SniRouter } from "./sni-router.ts";
import { TcpSession } from "./tcp-session.ts";

export type { ListenerAccount } from "./listener-account.ts";

/** A client has so long for the hello by which its connection is routed. */
export const CLIENT_HELLO_TIMEOUT_MS = 10_000;

const NOTHING = new Uint8Array(0);

type Hello = Exclude<ClientHelloResult, { readonly kind: "incomplete" }>;

/** What a {@link TcpProxy} needs. */
export interface TcpProxyOptions {
  readonly listener: ListenerUnit;
  /** The load balancer's VIP, canonical text. */
  readonly vip: string;
  readonly transport: Transport;
  readonly clock: Clock;
  /** Shares connections among weighted pools. */
  readonly random: Random;
  readonly account: ListenerAccount;
  /** The balancer of the pool of that id as of now; undefined when it is gone. Asked for each connection. */
  readonly balancer: (poolId: string) => Balancer | undefined;
}

/**
 * Forwards one listener's TCP connections in one worker: admits a connection (allowed CIDRs, connection limit), has a
 * backend chosen and moves bytes until both sides have ended. With policies it looks at the hello of TLS first, and passes
 * it on as it came.
 *
 * A connection that cannot be served is reset, so that its client learns it at once.
 */
export class TcpProxy implements Proxy {
  readonly #options: TcpProxyOptions;
  readonly #sessions = new Set<TcpSession>();
  readonly #idle: IdleSweep;
  readonly #ended = (session: TcpSession): void => this.#forget(session);
  readonly #hellos: Openings<Hello>;
  #listener: ListenerUnit;
  #allowed: AllowedCidrs;
  /** undefined: all connections go to the default pool, whatever they begin with. */
  #router: SniRouter | undefined;

  constructor(options: TcpProxyOptions) {
    this.#options = options;
    this.#listener = options.listener;
    this.#allowed = new AllowedCidrs(options.listener.allowedCidrs);
    this.#router = routerOf(options.listener);
    this.#hellos = new Openings({
      clock: options.clock,
      timeoutMs: CLIENT_HELLO_TIMEOUT_MS,
      parse: parseClientHello,
      onRead: (client, hello, bytes) => this.#route(client, hello, bytes),
      onFailed: (failure) => this.#helloMissing(failure),
    });
    this.#idle = new IdleSweep(options.clock, this.#sessions, options.listener.clientIdleTimeoutMs);
  }

  /** Connections being served, those that still wait for their backend included, or are waited for. */
  get active(): number {
    return this.#sessions.size + this.#hellos.size;
  }

  /**
   * Takes the listener's new configuration. New connections follow it at once, and so does the idle timeout of those
   * that stand; nothing is closed.
   */
  update(listener: ListenerUnit): void {
    if (listener.allowedCidrs !== this.#listener.allowedCidrs) {
      this.#allowed = new AllowedCidrs(listener.allowedCidrs);
    }
    if (listener.sniPolicies !== this.#listener.sniPolicies) this.#router = routerOf(listener);
    this.#listener = listener;
    this.#idle.timeoutMs = listener.clientIdleTimeoutMs;
  }

  /** Made to be handed to `Transport.listen` as it is. */
  readonly accept = (client: Connection): void => {
    const { account } = this.#options;
    if (!this.#allowed.everybody && !this.#allowed.includes(client.remoteAddress)) {
      return turnAway(client, account, "acl");
    }
    if (account.rates?.connections?.admits(client.remoteAddress) === false) {
      return turnAway(client, account, "rate-limit");
    }
    if (this.#router === undefined && this.#defaultPool === undefined) return turnAway(client, account, "no-pool");
    if (account.open(this.#listener.connectionLimit)) this.serve(client);
    else turnAway(client, account, "connection-limit");
  };

  serve(client: Connection, received: Uint8Array = NOTHING): void {
    if (this.#router === undefined) this.#forward(client, this.#defaultPool, received);
    else this.#hellos.read(client, received);
  }

  get #defaultPool(): Balancer | undefined {
    const { defaultPoolId } = this.#listener;
    return defaultPoolId === undefined ? undefined : this.#options.balancer(defaultPoolId);
  }

  /** What is no TLS shows no name. A hello that a backend may read otherwise than we do goes to none. */
  #route(client: Connection, hello: Hello, bytes: Uint8Array): void {
    if (hello.kind === "failed") return this.#turnOut(client, "bad-request");
    const route = this.#router?.route(hello.kind === "hello" ? hello.serverName : undefined);
    if (route === undefined) return this.#forward(client, this.#defaultPool, bytes);
    const { pools } = route;
    if (pools === undefined) return this.#turnOut(client, "policy");
    const { random, balancer } = this.#options;
    this.#forward(client, balancer(pools.pick(pools.ids.length === 1 ? 0 : random())), bytes);
  }

  #helloMissing(failure: OpeningFailure): void {
    const { account } = this.#options;
    if (failure !== "ended") account.reject(failure === "timeout" ? "client-timeout" : "bad-request");
    account.close();
  }

  /** Who had a place already. */
  #turnOut(client: Connection, reason: RejectReason): void {
    turnAway(client, this.#options.account, reason);
    this.#options.account.close();
  }

  #forward(client: Connection, pool: Balancer | undefined, received: Uint8Array): void {
    if (pool === undefined) return this.#turnOut(client, "no-pool");
    const { account, transport, vip } = this.#options;
    const listener = this.#listener;
    const session = new TcpSession(client, {
      account,
      balancer: pool,
      transport,
      vip,
      vipPort: listener.port,
      connectTimeoutMs: listener.backendConnectTimeoutMs,
      onEnd: this.#ended,
    });
    this.#sessions.add(session);
    if (this.#sessions.size === 1) this.#idle.start();
    session.start(received);
  }

  /** Nothing: whether a connection is idle or in the middle of something can't be told. */
  drain(): void {}

  /** Ends every connection with a reset, so that no peer takes a cut stream for a complete one. */
  closeAll(_reason: RevokeReason): void {
    this.#hellos.closeAll();
    for (const session of this.#sessions) session.abort();
  }

  #forget(session: TcpSession): void {
    this.#sessions.delete(session);
    this.#options.account.close();
    if (this.#sessions.size === 0) this.#idle.stop();
  }
}

function routerOf({ sniPolicies }: ListenerUnit): SniRouter | undefined {
  return sniPolicies === undefined ? undefined : new SniRouter(sniPolicies);
}

function turnAway(client: Connection, account: ListenerAccount, reason: RejectReason): void {
  account.reject(reason);
  client.reset();
}
