import { isDeepStrictEqual } from "node:util";

import type { ListenerUnit, TlsUnit } from "../snapshot/snapshot.ts";
import type { RevokeReason } from "./balancer.ts";
import type { RejectReason } from "./data-plane.ts";
import { AllowedCidrs } from "./l4/allowed-cidrs.ts";
import type { ListenerAccount } from "./l4/listener-account.ts";
import type { Proxy } from "./proxy.ts";
import { TlsConfigurationError } from "./tls/secure-context.ts";
import type { ListenerTls } from "./tls/tls-server.ts";
import type { Connection, ConnectionHandlers, Transport, TransportError } from "./transport/transport.ts";

/** A client has so long for its handshake. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;

const NOTHING = new Uint8Array(0);

/** What a {@link SecuredProxy} needs. */
export interface SecuredProxyOptions {
  readonly listener: ListenerUnit;
  readonly transport: Transport;
  readonly account: ListenerAccount;
  /** @throws TlsConfigurationError when the unit's certificates cannot be used. */
  readonly createTls: (unit: TlsUnit) => ListenerTls;
  /** Serves what comes out of TLS. */
  readonly inner: Proxy;
}

/**
 * Terminates TLS before another proxy: lets a client in (allowed CIDRs, connection limit), so that nobody else costs a
 * handshake, and hands over the connection that the handshake leads to.
 */
export class SecuredProxy implements Proxy, ConnectionHandlers {
  readonly #options: SecuredProxyOptions;
  readonly #handshakes = new Set<Connection>();
  /** undefined: no unit could be used so far, and everybody is turned away. */
  #tls: ListenerTls | undefined;
  #unit: TlsUnit | undefined;
  #problem: string | undefined;
  #listener: ListenerUnit;
  #allowed: AllowedCidrs;

  constructor(options: SecuredProxyOptions) {
    this.#options = options;
    this.#listener = options.listener;
    this.#allowed = new AllowedCidrs(options.listener.allowedCidrs);
    this.#useTls(options.listener);
  }

  get problem(): string | undefined {
    return this.#problem;
  }

  /** Connections being served, those in their handshake included. */
  get active(): number {
    return this.#handshakes.size + this.#options.inner.active;
  }

  /** Handshakes that begin now follow the new configuration; connections that stand are not touched. */
  update(listener: ListenerUnit): void {
    if (listener.allowedCidrs !== this.#listener.allowedCidrs) this.#allowed = new AllowedCidrs(listener.allowedCidrs);
    this.#listener = listener;
    this.#useTls(listener);
    this.#options.inner.update(listener);
  }

  /** What cannot be used is a problem of this listener alone; what was there before goes on. */
  #useTls({ tls: unit }: ListenerUnit): void {
    // Units come as copies: the same settings are not the same object.
    if (unit === undefined || isDeepStrictEqual(unit, this.#unit)) return;
    this.#unit = unit;
    try {
      if (this.#tls === undefined) this.#tls = this.#options.createTls(unit);
      else this.#tls.update(unit);
      this.#problem = undefined;
    } catch (error) {
      if (!(error instanceof TlsConfigurationError)) throw error;
      this.#problem = error.message;
    }
  }

  /** Made to be handed to `Transport.listen` as it is. */
  readonly accept = (client: Connection): void => {
    if (!this.#allowed.everybody && !this.#allowed.includes(client.remoteAddress)) return this.#turnAway(client, "acl");
    const { account } = this.#options;
    if (account.rates?.connections?.admits(client.remoteAddress) === false) return this.#turnAway(client, "rate-limit");
    if (account.open(this.#listener.connectionLimit)) this.serve(client);
    else this.#turnAway(client, "connection-limit");
  };

  serve(client: Connection, received: Uint8Array = NOTHING): void {
    const server = this.#tls?.server;
    if (server === undefined) {
      this.#turnAway(client, "tls-handshake");
      return this.#options.account.close();
    }
    const options = {
      server,
      handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS,
      ...(received.length > 0 && { received }),
    };
    this.#handshakes.add(this.#options.transport.secure(client, options, this));
  }

  drain(idleGraceMs?: number): void {
    this.#options.inner.drain(idleGraceMs);
  }

  closeAll(reason: RevokeReason): void {
    for (const connection of this.#handshakes) connection.reset();
    this.#options.inner.closeAll(reason);
  }

  /** For its handshakes only, like those that follow. */
  onConnect(secured: Connection): void {
    this.#handshakes.delete(secured);
    this.#options.inner.serve(secured);
  }

  onData(): void {}

  onEnd(): void {}

  onDrain(): void {}

  onClose(secured: Connection, error: TransportError | undefined): void {
    this.#handshakes.delete(secured);
    // Without an error it was ended from here.
    if (error !== undefined) this.#options.account.reject("tls-handshake");
    this.#options.account.close();
  }

  #turnAway(client: Connection, reason: RejectReason): void {
    this.#options.account.reject(reason);
    client.reset();
  }
}
