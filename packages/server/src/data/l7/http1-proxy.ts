import type { ListenerUnit } from "../../snapshot/snapshot.ts";
import type { RevokeReason } from "../balancer.ts";
import { AllowedCidrs } from "../l4/allowed-cidrs.ts";
import type { Proxy } from "../proxy.ts";
import type { Connection } from "../transport/transport.ts";
import { Http1Context, type Http1Shared } from "./http1-context.ts";
import { type Http1Owner, Http1Session } from "./http1-session.ts";
import { Http2Connection } from "./http2/http2-connection.ts";
import { type Timed, TimeoutSweep } from "./timeout-sweep.ts";

/** Clients above the connection limit that are told so at the same time; further ones are reset. */
const MAX_TURNED_AWAY = 64;
const NOTHING = new Uint8Array(0);

/** What an {@link Http1Proxy} needs. */
export interface Http1ProxyOptions extends Omit<Http1Shared, "isDraining"> {
  /** With its HTTP part. */
  readonly listener: ListenerUnit;
}

/** A client's connection, whatever it speaks. */
interface ClientConnection extends Timed {
  /** The listener goes: ends when nothing is being answered any more. */
  drain(): void;
  /** Ends at once, with a reset. */
  abort(): void;
}

/**
 * Serves one listener's connections in one worker, HTTP/1.0, 1.1 and 2: admits them (allowed CIDRs, connection limit), has
 * each request routed and answered, and looks after the timeouts.
 */
export class Http1Proxy implements Proxy, Http1Owner {
  readonly #shared: Http1Shared;
  readonly #clients = new Set<ClientConnection>();
  /** Of {@link #clients} those that hold no place. */
  readonly #turnedAway = new Set<ClientConnection>();
  readonly #timeouts: TimeoutSweep;
  #context: Http1Context;
  #allowed: AllowedCidrs;

  /** @throws Error when the listener has no HTTP part. */
  constructor({ listener, ...shared }: Http1ProxyOptions) {
    this.#shared = { ...shared, isDraining: false };
    this.#context = new Http1Context(listener, this.#shared);
    this.#allowed = new AllowedCidrs(listener.allowedCidrs);
    this.#timeouts = new TimeoutSweep(shared.clock, this.#clients, timeoutsOf(listener));
  }

  /** The configuration for requests that begin now. */
  get context(): Http1Context {
    return this.#context;
  }

  /** Connections being served, idle ones included. */
  get active(): number {
    return this.#clients.size;
  }

  /** Takes the listener's new configuration: requests that begin from now on follow it; nothing is closed. */
  update(listener: ListenerUnit): void {
    const before = this.#context.listener;
    if (listener === before) return;
    if (listener.allowedCidrs !== before.allowedCidrs) this.#allowed = new AllowedCidrs(listener.allowedCidrs);
    this.#context = new Http1Context(listener, this.#shared);
    this.#timeouts.timeoutsMs = timeoutsOf(listener);
  }

  /** Made to be handed to `Transport.listen` as it is. */
  readonly accept = (client: Connection): void => {
    const { account } = this.#shared;
    const { connectionLimit } = this.#context.listener;
    if (!this.#allowed.everybody && !this.#allowed.includes(client.remoteAddress)) {
      account.reject("acl");
      return client.reset();
    }
    if (account.rates?.connections?.admits(client.remoteAddress) === false) {
      account.reject("rate-limit");
      return client.reset();
    }
    if (account.open(connectionLimit)) return this.serve(client);
    if (this.#turnedAway.size < MAX_TURNED_AWAY) return this.#turnAway(client);
    account.reject("connection-limit");
    client.reset();
  };

  serve(client: Connection, received = NOTHING): void {
    if (client.tls?.alpnProtocol === "h2") {
      this.#timeouts.start();
      return this.#beginHttp2(client, received);
    }
    const session = new Http1Session(client, this);
    this.#clients.add(session);
    this.#timeouts.start();
    session.start(received);
  }

  /** Answered with 503, and given the time to read it. */
  #turnAway(client: Connection): void {
    const session = new Http1Session(client, this);
    this.#turnedAway.add(session);
    this.#clients.add(session);
    this.#timeouts.start();
    session.turnAway();
  }

  /** No request more than one: idle connections are closed, the others after the response at hand. */
  drain(idleGraceMs = 0): void {
    this.#shared.isDraining = true;
    for (const client of this.#clients) {
      // HTTP/2 tells the client, which then asks elsewhere.
      if (idleGraceMs === 0 || client instanceof Http2Connection) client.drain();
    }
    if (idleGraceMs > 0) this.#shared.clock.after(idleGraceMs, () => this.drain());
  }

  /** Ends every connection with a reset, so that no peer takes a cut message for a complete one. */
  closeAll(_reason: RevokeReason): void {
    for (const client of this.#clients) client.abort();
  }

  /** For its connections only. */
  count(bytesIn: number, bytesOut: number): void {
    this.#shared.account.count(bytesIn, bytesOut);
  }

  /** For its sessions only: the client speaks HTTP/2 without having negotiated it (prior knowledge). */
  startHttp2(session: Http1Session, client: Connection, received: Uint8Array): boolean {
    this.#clients.delete(session);
    this.#beginHttp2(client, received);
    return true;
  }

  #beginHttp2(client: Connection, received: Uint8Array): void {
    const connection = new Http2Connection(client, this);
    this.#clients.add(connection);
    connection.start(received);
    // Its handshake was under way when the listener went: whoever is on the way is served, and told to go elsewhere.
    if (this.#shared.isDraining) connection.drain();
  }

  /** For its connections only. */
  forget(client: ClientConnection): void {
    if (!this.#clients.delete(client)) return;
    if (!this.#turnedAway.delete(client)) this.#shared.account.close();
    if (this.#clients.size === 0) this.#timeouts.stop();
  }
}

function timeoutsOf({ clientIdleTimeoutMs, http }: ListenerUnit): readonly number[] {
  return [
    clientIdleTimeoutMs,
    http?.backendIdleTimeoutMs ?? 0,
    http?.requestTimeoutMs ?? 0,
    http?.requestHeaderTimeoutMs ?? 0,
  ];
}
