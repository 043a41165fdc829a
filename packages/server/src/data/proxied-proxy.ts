import type { Clock } from "../clock.ts";
import type { ListenerUnit } from "../snapshot/snapshot.ts";
import type { RevokeReason } from "./balancer.ts";
import type { RejectReason } from "./data-plane.ts";
import { AllowedCidrs } from "./l4/allowed-cidrs.ts";
import type { ListenerAccount } from "./l4/listener-account.ts";
import { Openings } from "./l4/openings.ts";
import { parseProxyHeader, type ProxyHeaderResult } from "./l4/proxy-protocol.ts";
import type { Proxy } from "./proxy.ts";
import type { Connection } from "./transport/transport.ts";

/** A proxy has so long to send the whole header. */
export const PROXY_HEADER_TIMEOUT_MS = 10_000;

/** What a {@link ProxiedProxy} needs. */
export interface ProxiedProxyOptions {
  readonly listener: ListenerUnit;
  readonly clock: Clock;
  readonly account: ListenerAccount;
  /** Serves what comes behind the header; lets everybody in while the listener does not accept the protocol. */
  readonly inner: Proxy;
}

type ReadHeader = Exclude<ProxyHeaderResult, { readonly kind: "incomplete" }>;

/**
 * Reads the PROXY protocol's header before another proxy, on listeners that accept it, and lets the client in that it
 * names (allowed CIDRs, connection limit). Only trusted peers may send one, and they must. From then on the connection is
 * its client's for all rules: whom backends are told of, which backend it gets.
 *
 * A connection without a header, or from elsewhere, is reset: passing it on would let anybody be anybody.
 */
export class ProxiedProxy implements Proxy {
  readonly #options: ProxiedProxyOptions;
  readonly #openings: Openings<ReadHeader>;
  #listener: ListenerUnit;
  #trusted: AllowedCidrs | undefined;
  #allowed: AllowedCidrs;

  constructor(options: ProxiedProxyOptions) {
    this.#options = options;
    this.#listener = options.listener;
    this.#trusted = trustedOf(options.listener);
    this.#allowed = new AllowedCidrs(options.listener.allowedCidrs);
    this.#openings = new Openings({
      clock: options.clock,
      timeoutMs: PROXY_HEADER_TIMEOUT_MS,
      parse: parseProxyHeader,
      onRead: (client, header, bytes) => this.#read(client, header, bytes),
      onFailed: (failure) => {
        if (failure !== "ended") options.account.reject("proxy-protocol");
        options.account.close();
      },
    });
  }

  get problem(): string | undefined {
    return this.#options.inner.problem;
  }

  /** Connections being served, those whose header has not come included. */
  get active(): number {
    return this.#openings.size + this.#options.inner.active;
  }

  /** Connections that come now follow the new configuration. */
  update(listener: ListenerUnit): void {
    if (listener.proxyProtocol !== this.#listener.proxyProtocol) this.#trusted = trustedOf(listener);
    if (listener.allowedCidrs !== this.#listener.allowedCidrs) this.#allowed = new AllowedCidrs(listener.allowedCidrs);
    this.#listener = listener;
    this.#options.inner.update(listener);
  }

  /** Made to be handed to `Transport.listen` as it is. */
  readonly accept = (client: Connection): void => {
    if (this.#trusted === undefined) return this.#options.inner.accept(client);
    if (this.#trusted.everybody || !this.#trusted.includes(client.remoteAddress)) {
      return this.#turnAway(client, "proxy-protocol");
    }
    if (this.#options.account.open(this.#listener.connectionLimit)) this.#openings.read(client, NOTHING);
    else this.#turnAway(client, "connection-limit");
  };

  serve(client: Connection, received?: Uint8Array): void {
    this.#options.inner.serve(client, received);
  }

  drain(idleGraceMs?: number): void {
    this.#options.inner.drain(idleGraceMs);
  }

  closeAll(reason: RevokeReason): void {
    this.#openings.closeAll();
    this.#options.inner.closeAll(reason);
  }

  #read(client: Connection, header: ReadHeader, bytes: Uint8Array): void {
    if (header.kind === "failed") return this.#turnOut(client, "proxy-protocol");
    client.proxied = header.endpoints;
    if (!this.#allowed.includes(client.remoteAddress)) return this.#turnOut(client, "acl");
    const { rates } = this.#options.account;
    if (rates?.connections?.admits(client.remoteAddress) === false) return this.#turnOut(client, "rate-limit");
    this.#options.inner.serve(client, bytes.subarray(header.length));
  }

  /** Who had a place already. */
  #turnOut(client: Connection, reason: RejectReason): void {
    this.#turnAway(client, reason);
    this.#options.account.close();
  }

  #turnAway(client: Connection, reason: RejectReason): void {
    this.#options.account.reject(reason);
    client.reset();
  }
}

const NOTHING = new Uint8Array(0);

/** An empty list trusts nobody; undefined: no header is looked for. */
function trustedOf({ proxyProtocol }: ListenerUnit): AllowedCidrs | undefined {
  return proxyProtocol === undefined ? undefined : new AllowedCidrs(proxyProtocol.trustedCidrs);
}
