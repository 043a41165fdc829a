import type { ListenerUnit } from "../snapshot/snapshot.ts";
import type { RevokeReason } from "./balancer.ts";
import type { RejectReason } from "./data-plane.ts";
import { AllowedCidrs } from "./l4/allowed-cidrs.ts";
import type { ListenerAccount } from "./l4/listener-account.ts";
import type { Proxy } from "./proxy.ts";
import type { Connection, ConnectionHandlers, TlsServer, Transport, TransportError } from "./transport/transport.ts";

/** A client has so long for its handshake. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;

/** How a listener speaks TLS now, and from a change of its unit on. */
export interface ListenerTlsSource {
  readonly server: TlsServer;
  update(listener: ListenerUnit): void;
}

/** What a {@link SecuredProxy} needs. */
export interface SecuredProxyOptions {
  readonly listener: ListenerUnit;
  readonly transport: Transport;
  readonly account: ListenerAccount;
  readonly tls: ListenerTlsSource;
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
  #listener: ListenerUnit;
  #allowed: AllowedCidrs;

  constructor(options: SecuredProxyOptions) {
    this.#options = options;
    this.#listener = options.listener;
    this.#allowed = new AllowedCidrs(options.listener.allowedCidrs);
  }

  /** Connections being served, those in their handshake included. */
  get active(): number {
    return this.#handshakes.size + this.#options.inner.active;
  }

  /** Handshakes that begin now follow the new configuration; connections that stand are not touched. */
  update(listener: ListenerUnit): void {
    if (listener.allowedCidrs !== this.#listener.allowedCidrs) this.#allowed = new AllowedCidrs(listener.allowedCidrs);
    this.#listener = listener;
    this.#options.tls.update(listener);
    this.#options.inner.update(listener);
  }

  /** Made to be handed to `Transport.listen` as it is. */
  readonly accept = (client: Connection): void => {
    if (!this.#allowed.everybody && !this.#allowed.includes(client.remoteAddress)) return this.#turnAway(client, "acl");
    if (this.#options.account.open(this.#listener.connectionLimit)) this.serve(client);
    else this.#turnAway(client, "connection-limit");
  };

  serve(client: Connection): void {
    const { transport, tls } = this.#options;
    const options = { server: tls.server, handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS };
    this.#handshakes.add(transport.secure(client, options, this));
  }

  drain(): void {
    this.#options.inner.drain();
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
