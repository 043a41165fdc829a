import type { Clock } from "../../clock.ts";
import type { ListenerUnit } from "../../snapshot/snapshot.ts";
import type { Balancer, RevokeReason } from "../balancer.ts";
import type { RejectReason } from "../data-plane.ts";
import type { Proxy } from "../proxy.ts";
import type { Connection, Transport } from "../transport/transport.ts";
import { AllowedCidrs } from "./allowed-cidrs.ts";
import { IdleSweep } from "./idle-sweep.ts";
import type { ListenerAccount } from "./listener-account.ts";
import { TcpSession } from "./tcp-session.ts";

export type { ListenerAccount } from "./listener-account.ts";

/** What a {@link TcpProxy} needs. */
export interface TcpProxyOptions {
  readonly listener: ListenerUnit;
  /** The load balancer's VIP, canonical text. */
  readonly vip: string;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly account: ListenerAccount;
  /** The balancer of the pool of that id as of now; undefined when it is gone. Asked for each connection. */
  readonly balancer: (poolId: string) => Balancer | undefined;
}

/**
 * Forwards one listener's TCP connections in one worker: admits a connection (allowed CIDRs, connection limit), has a
 * backend chosen and moves bytes until both sides have ended.
 *
 * A connection that cannot be served is reset, so that its client learns it at once.
 */
export class TcpProxy implements Proxy {
  readonly #options: TcpProxyOptions;
  readonly #sessions = new Set<TcpSession>();
  readonly #idle: IdleSweep;
  readonly #ended = (session: TcpSession): void => this.#forget(session);
  #listener: ListenerUnit;
  #allowed: AllowedCidrs;

  constructor(options: TcpProxyOptions) {
    this.#options = options;
    this.#listener = options.listener;
    this.#allowed = new AllowedCidrs(options.listener.allowedCidrs);
    this.#idle = new IdleSweep(options.clock, this.#sessions, options.listener.clientIdleTimeoutMs);
  }

  /** Connections being served, those that still wait for their backend included. */
  get active(): number {
    return this.#sessions.size;
  }

  /**
   * Takes the listener's new configuration. New connections follow it at once, and so does the idle timeout of those
   * that stand; nothing is closed.
   */
  update(listener: ListenerUnit): void {
    if (listener.allowedCidrs !== this.#listener.allowedCidrs) {
      this.#allowed = new AllowedCidrs(listener.allowedCidrs);
    }
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
    const pool = this.#pool;
    if (pool === undefined) return turnAway(client, account, "no-pool");
    if (!account.open(this.#listener.connectionLimit)) return turnAway(client, account, "connection-limit");
    this.#begin(client, pool);
  };

  serve(client: Connection): void {
    const pool = this.#pool;
    if (pool !== undefined) return this.#begin(client, pool);
    turnAway(client, this.#options.account, "no-pool");
    this.#options.account.close();
  }

  get #pool(): Balancer | undefined {
    const { defaultPoolId } = this.#listener;
    return defaultPoolId === undefined ? undefined : this.#options.balancer(defaultPoolId);
  }

  #begin(client: Connection, pool: Balancer): void {
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
    session.start();
  }

  /** Nothing: whether a connection is idle or in the middle of something can't be told. */
  drain(): void {}

  /** Ends every connection with a reset, so that no peer takes a cut stream for a complete one. */
  closeAll(_reason: RevokeReason): void {
    for (const session of this.#sessions) session.abort();
  }

  #forget(session: TcpSession): void {
    this.#sessions.delete(session);
    this.#options.account.close();
    if (this.#sessions.size === 0) this.#idle.stop();
  }
}

function turnAway(client: Connection, account: ListenerAccount, reason: RejectReason): void {
  account.reject(reason);
  client.reset();
}
