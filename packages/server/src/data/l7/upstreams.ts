import type { Cancel, Clock } from "../../clock.ts";
import type { BackendUnit } from "../../snapshot/snapshot.ts";
import type { Transport } from "../transport/transport.ts";
import { Upstream, type UpstreamUser } from "./upstream.ts";

/** Idle connections are kept so long: less than the 5 s of Node and Apache, so that ours is the side that closes. */
export const MAX_IDLE_MS = 4000;
/** Idle connections kept to one backend, in one worker. */
export const MAX_IDLE_PER_BACKEND = 256;
const SWEEP_MS = 1000;

/** What {@link Upstreams} needs of its worker. */
export interface UpstreamsOptions {
  readonly transport: Transport;
  readonly clock: Clock;
}

/**
 * The connections of one worker to backends, kept open between requests. The one used last is used next, so that as few
 * as possible are in use and the others can go.
 */
export class Upstreams {
  readonly #options: UpstreamsOptions;
  /** By backend, the one used last at the end. */
  readonly #idle = new Map<string, Upstream[]>();
  #cancelSweep: Cancel | undefined;
  readonly #gone = (upstream: Upstream): void => this.#remove(upstream);

  constructor(options: UpstreamsOptions) {
    this.#options = options;
  }

  /** An idle connection to the backend, used last at most `maxIdleMs` ago. */
  take(backend: BackendUnit, maxIdleMs: number, user: UpstreamUser): Upstream | undefined {
    const idle = this.#idle.get(backend.id);
    for (let upstream = idle?.pop(); upstream !== undefined; upstream = idle?.pop()) {
      const isSame = upstream.address === backend.address && upstream.port === backend.port;
      if (isSame && this.#options.clock.nowMs() - upstream.idleSinceMs <= maxIdleMs) {
        upstream.isReused = true;
        upstream.begin(user);
        return upstream;
      }
      if (isSame) {
        // Those below are older still, and good for others.
        idle?.push(upstream);
        return undefined;
      }
      upstream.connection?.close();
    }
    return undefined;
  }

  /** A new connection to the backend; its user hears when it stands. */
  connect(backend: BackendUnit, timeoutMs: number, user: UpstreamUser): Upstream {
    const upstream = new Upstream(backend, this.#gone);
    upstream.begin(user);
    const { address, port } = upstream;
    upstream.connection = this.#options.transport.connect({ address, port, timeoutMs }, upstream);
    return upstream;
  }

  /** Its user is done with a connection that can carry another request. */
  give(upstream: Upstream): void {
    upstream.user = undefined;
    upstream.idleSinceMs = this.#options.clock.nowMs();
    const idle = this.#idle.get(upstream.backendId);
    if (idle === undefined) this.#idle.set(upstream.backendId, [upstream]);
    else if (idle.length >= MAX_IDLE_PER_BACKEND) return upstream.connection?.close();
    else idle.push(upstream);
    this.#cancelSweep ??= this.#options.clock.after(SWEEP_MS, () => this.#sweep());
  }

  /** The backend is down or gone: idle connections to it are closed. */
  forget(backendId: string): void {
    for (const { connection } of this.#idle.get(backendId) ?? []) connection?.close();
    this.#idle.delete(backendId);
  }

  /** Closes everything that nobody uses. */
  close(): void {
    for (const backendId of this.#idle.keys()) this.forget(backendId);
    this.#cancelSweep?.();
    this.#cancelSweep = undefined;
  }

  #remove(upstream: Upstream): void {
    const idle = this.#idle.get(upstream.backendId);
    const index = idle?.indexOf(upstream) ?? -1;
    if (index >= 0) idle?.splice(index, 1);
  }

  #sweep(): void {
    this.#cancelSweep = undefined;
    const oldestMs = this.#options.clock.nowMs() - MAX_IDLE_MS;
    for (const [backendId, idle] of this.#idle) {
      const kept = idle.findIndex(({ idleSinceMs }) => idleSinceMs >= oldestMs);
      for (const { connection } of idle.splice(0, kept < 0 ? idle.length : kept)) connection?.close();
      if (idle.length === 0) this.#idle.delete(backendId);
    }
    if (this.#idle.size > 0) this.#cancelSweep = this.#options.clock.after(SWEEP_MS, () => this.#sweep());
  }
}
