import { formatHostPort } from "@fiberlb/types";

import type { Cancel, Clock } from "../../clock.ts";
import { type Transport, TransportError } from "../transport/transport.ts";
import { connectOptionsOf, KEY_SEPARATOR, mayBeHttp2, upstreamKey, type UpstreamTarget } from "./backend-protocol.ts";
import { Http2Upstreams } from "./http2-upstreams.ts";
import { Upstream, type UpstreamOwner, type UpstreamUser } from "./upstream.ts";

/** Idle connections are kept so long: less than the 5 s of Node and Apache, so that ours is the side that closes. */
export const MAX_IDLE_MS = 4000;
/**
 * A request that must not arrive twice takes only a connection that was in use a moment ago: one that a backend may be
 * about to close would leave unknown whether the request was carried out.
 */
export const FRESH_MS = 1000;
/** Idle connections kept to one backend, in one worker. */
export const MAX_IDLE_PER_BACKEND = 256;
const SWEEP_MS = 1000;

/** What {@link Upstreams} needs of its worker. */
export interface UpstreamsOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  /** A connection could not be made, or what speaks there is not what the pool expects. */
  readonly onConnectError?: (backendId: string, error: TransportError) => void;
}

/**
 * The connections of one worker to backends, kept open between requests. The one used last is used next, so that as few
 * as possible are in use and the others can go. Requests to a backend that speaks HTTP/2 share connections. A backend that
 * is told who the client is has connections of its own for each client.
 */
export class Upstreams implements UpstreamOwner {
  readonly #options: UpstreamsOptions;
  /** By `upstreamKey`, the one used last at the end; HTTP/2 by the same. */
  readonly #idle = new Map<string, Upstream[]>();
  readonly #http2 = new Map<string, Http2Upstreams>();
  /** Made for an address or protocol that the backend no longer has. */
  readonly #outdated = new Set<Http2Upstreams>();
  #cancelSweep: Cancel | undefined;
  #isClosed = false;

  constructor(options: UpstreamsOptions) {
    this.#options = options;
  }

  /**
   * A connection that stands: an idle one, used last at most `maxIdleMs` ago, or a place in one that carries many requests.
   */
  take(target: UpstreamTarget, maxIdleMs: number, user: UpstreamUser): Upstream | undefined {
    const idle = this.#takeIdle(target, maxIdleMs);
    if (idle === undefined) return mayBeHttp2(target.protocol) ? this.#http2Of(target).take(user) : undefined;
    idle.isReused = true;
    idle.begin(user);
    return idle;
  }

  #takeIdle(target: UpstreamTarget, maxIdleMs: number): Upstream | undefined {
    const { backend, protocol } = target;
    const idle = this.#idle.get(upstreamKey(target));
    for (let upstream = idle?.pop(); upstream !== undefined; upstream = idle?.pop()) {
      const { address, port } = upstream;
      const isSame = address === backend.address && port === backend.port && upstream.protocol === protocol;
      if (isSame && this.#options.clock.nowMs() - upstream.idleSinceMs <= maxIdleMs) return upstream;
      if (isSame) {
        // Those below are older still, and good for others.
        idle?.push(upstream);
        return undefined;
      }
      upstream.connection?.close();
    }
    return undefined;
  }

  /** A new connection to the backend, or a place in one that is being made; its user hears when it stands. */
  connect(target: UpstreamTarget, timeoutMs: number, user: UpstreamUser): Upstream {
    if (mayBeHttp2(target.protocol)) {
      this.#sweepLater();
      return this.#http2Of(target).connect(timeoutMs, user);
    }
    const upstream = new Upstream(target, this);
    upstream.begin(user);
    const { protocol, address, port } = upstream;
    if (protocol.kind === "unusable") {
      const error = new TransportError(
        "EPROTO",
        `Cannot connect to ${formatHostPort(address, port)}: ${protocol.reason}`,
      );
      queueMicrotask(() => upstream.onClose(undefined, error));
      return upstream;
    }
    upstream.connection = this.#options.transport.connect(connectOptionsOf(target, timeoutMs), upstream);
    return upstream;
  }

  give(upstream: Upstream): void {
    if (upstream.owner !== this) return upstream.owner.give(upstream);
    upstream.user = undefined;
    if (this.#isClosed) return upstream.connection?.close();
    upstream.idleSinceMs = this.#options.clock.nowMs();
    const idle = this.#idle.get(upstream.key);
    if (idle === undefined) this.#idle.set(upstream.key, [upstream]);
    else if (idle.length >= MAX_IDLE_PER_BACKEND) return upstream.connection?.close();
    else idle.push(upstream);
    this.#sweepLater();
  }

  gone(upstream: Upstream): void {
    const idle = this.#idle.get(upstream.key);
    const index = idle?.indexOf(upstream) ?? -1;
    if (index >= 0) idle?.splice(index, 1);
  }

  failed({ backendId }: Upstream, error: TransportError): void {
    this.#options.onConnectError?.(backendId, error);
  }

  /** The backend is down or gone: idle connections to it are closed, the others carry no further request. */
  forget(backendId: string): void {
    const ofClients = `${backendId}${KEY_SEPARATOR}`;
    const isOurs = (key: string): boolean => key === backendId || key.startsWith(ofClients);
    for (const [key, idle] of this.#idle) {
      if (!isOurs(key)) continue;
      this.#idle.delete(key);
      for (const { connection } of idle) connection?.close();
    }
    for (const [key, http2] of this.#http2) if (isOurs(key)) http2.drain();
  }

  /** For good: closes everything that nobody uses, and the rest as soon as that is so. */
  close(): void {
    for (const { connection } of [...this.#idle.values()].flat()) connection?.close();
    this.#idle.clear();
    this.#isClosed = true;
    for (const http2 of [...this.#http2.values(), ...this.#outdated]) http2.close();
    this.#cancelSweep?.();
    this.#cancelSweep = undefined;
  }

  #http2Of(target: UpstreamTarget): Http2Upstreams {
    const key = upstreamKey(target);
    const known = this.#http2.get(key);
    if (known?.serves(target) === true) return known;
    if (known !== undefined) {
      known.drain();
      this.#outdated.add(known);
    }
    const { transport, clock } = this.#options;
    const made = new Http2Upstreams({ ...target, transport, clock, http1: this });
    this.#http2.set(key, made);
    return made;
  }

  #sweepLater(): void {
    this.#cancelSweep ??= this.#options.clock.after(SWEEP_MS, () => this.#sweep());
  }

  #sweep(): void {
    this.#cancelSweep = undefined;
    const nowMs = this.#options.clock.nowMs();
    this.#sweepIdle(nowMs - MAX_IDLE_MS);
    for (const [key, http2] of this.#http2) {
      http2.tick(nowMs);
      if (http2.isEmpty) this.#http2.delete(key);
    }
    for (const http2 of this.#outdated) {
      http2.tick(nowMs);
      if (http2.isEmpty) this.#outdated.delete(http2);
    }
    if (this.#idle.size + this.#http2.size + this.#outdated.size > 0) this.#sweepLater();
  }

  #sweepIdle(oldestMs: number): void {
    for (const [key, idle] of this.#idle) {
      const kept = idle.findIndex(({ idleSinceMs }) => idleSinceMs >= oldestMs);
      for (const { connection } of idle.splice(0, kept < 0 ? idle.length : kept)) connection?.close();
      if (idle.length === 0) this.#idle.delete(key);
    }
  }
}
