import type { Clock } from "../clock.ts";
import type { ListenerUnit } from "../snapshot/snapshot.ts";
import type { Row } from "./counters.ts";
import type { DrainOptions } from "./data-plane.ts";
import type { ListenerAccount } from "./l4/listener-account.ts";
import { ListenerCounter } from "./listener-counter.ts";
import type { DatagramProxy, Proxy } from "./proxy.ts";
import type { SourceRates } from "./rate/source-rates.ts";
import type { DatagramTransport } from "./transport/datagram.ts";
import { type Connection, type Transport, TransportError } from "./transport/transport.ts";
import type { BindFailure } from "./worker-protocol.ts";

/** Connections that the kernel queues for a listener before they are accepted; it caps this at net.core.somaxconn. */
const BACKLOG = 4096;

/** A listener that goes on failing to accept is reported so often. */
const ACCEPT_ERROR_INTERVAL_MS = 10_000;

/** What {@link Listeners} needs of its worker. */
export interface ListenersOptions {
  readonly transport: Transport;
  readonly datagrams: DatagramTransport;
  readonly clock: Clock;
  /** Makes what serves a listener: a {@link DatagramProxy} for one of UDP. */
  readonly createProxy: (listener: ProxiedListener) => Proxy | DatagramProxy;
  /** An open listener can't accept (EMFILE: out of file descriptors); it goes on trying. */
  readonly onAcceptError: (failure: BindFailure) => void;
}

/** A listener that is to be served. */
export interface ProxiedListener {
  readonly vip: string;
  readonly unit: ListenerUnit;
  readonly account: ListenerAccount;
}

/** One load balancer's listeners as they should be. */
export interface DesiredListeners {
  readonly loadBalancerId: string;
  readonly vip: string;
  readonly listeners: readonly DesiredListener[];
}

/** A listener that should be open. */
export interface DesiredListener {
  readonly unit: ListenerUnit;
  readonly row: Row;
  /** What each source may do in a second; default: anything. */
  readonly rates?: SourceRates;
  /** How long its connections may go on once it is gone. */
  readonly drainTimeoutMs: number;
}

interface Served {
  readonly loadBalancerId: string;
  readonly listenerId: string;
  readonly endpoint: Endpoint;
  readonly proxy: Proxy | DatagramProxy;
  readonly account: ListenerAccount;
  drainTimeoutMs: number;
}

/** Where to listen. TCP and UDP have ports of their own. */
interface Place {
  readonly transport: "tcp" | "udp";
  readonly address: string;
  readonly port: number;
}

/** A place, and who gets what comes in there. Outlives a listener that another one takes over from. */
interface Endpoint extends Place {
  owner: Served | undefined;
  socket: { close(): Promise<void> } | undefined;
  /** Code of the last attempt to open it; undefined = none, or it is open. */
  failure: string | undefined;
  /** When a failed accept was reported last. */
  acceptErrorAtMs: number;
}

/** The listeners of one worker: opens, keeps and closes sockets to match what is desired, and drains what goes. */
export class Listeners {
  readonly #options: ListenersOptions;
  readonly #served = new Map<string, Map<string, Served>>();
  readonly #endpoints = new Map<string, Endpoint>();
  /** Listeners that are gone but for their connections. */
  readonly #draining = new Set<Served>();
  #onConnectionEnd: () => void = () => undefined;

  constructor(options: ListenersOptions) {
    this.#options = options;
  }

  /**
   * Makes the listeners of the load balancers named in `desired` be exactly those; other load balancers' stay. Sockets
   * that could not be opened before are tried again. Resolves when every socket is open, closed or failed.
   */
  async apply(desired: readonly DesiredListeners[]): Promise<void> {
    const touched = new Set<Endpoint>();
    for (const one of desired) this.#retireMissing(one, touched);
    for (const one of desired) {
      for (const listener of one.listeners) touched.add(this.#serve(one, listener));
    }
    await Promise.all([...touched].map((endpoint) => this.#settle(endpoint)));
  }

  /** Every listener that should be open and is not, or does not serve as it should. */
  failures(): BindFailure[] {
    return [...this.#endpoints.values()].flatMap(({ owner, failure }) => {
      if (owner === undefined) return [];
      const { loadBalancerId, listenerId, proxy } = owner;
      if (failure !== undefined) return [{ loadBalancerId, listenerId, code: failure }];
      return proxy.problem === undefined
        ? []
        : [{ loadBalancerId, listenerId, code: "EINVAL", problem: proxy.problem }];
    });
  }

  /** Stops accepting everywhere, lets connections finish for so long, ends the rest. */
  async stop({ drainTimeoutMs, idleGraceMs }: DrainOptions): Promise<void> {
    const all = [...[...this.#served.values()].flatMap((served) => [...served.values()]), ...this.#draining];
    // Without a drain of their own: their pools' drain times are about changes, this one is about the process.
    this.#served.clear();
    const endpoints = [...this.#endpoints.values()];
    for (const endpoint of endpoints) endpoint.owner = undefined;
    for (const { proxy } of all) proxy.drain(idleGraceMs);
    await Promise.all(endpoints.map((endpoint) => this.#settle(endpoint)));
    const isIdle = (): boolean => all.every(({ proxy }) => proxy.active === 0);
    if (isIdle()) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.after(drainTimeoutMs, () => {
        for (const { proxy } of all) proxy.closeAll("shutdown");
        resolve();
      });
      this.#onConnectionEnd = () => {
        if (!isIdle()) return;
        cancel();
        resolve();
      };
    });
  }

  #retireMissing({ loadBalancerId, vip, listeners }: DesiredListeners, touched: Set<Endpoint>): void {
    const kept = new Set(listeners.map(({ unit }) => `${unit.id} ${keyOf(placeOf(vip, unit))}`));
    for (const served of this.#served.get(loadBalancerId)?.values() ?? []) {
      const { listenerId, endpoint } = served;
      if (kept.has(`${listenerId} ${keyOf(endpoint)}`)) continue;
      this.#served.get(loadBalancerId)?.delete(listenerId);
      endpoint.owner = undefined;
      touched.add(endpoint);
      this.#drain(served);
    }
    if (listeners.length === 0) this.#served.delete(loadBalancerId);
  }

  #drain(served: Served): void {
    served.proxy.drain();
    if (served.proxy.active === 0) return;
    this.#draining.add(served);
    this.#options.clock.after(served.drainTimeoutMs, () => {
      this.#draining.delete(served);
      served.proxy.closeAll("drain-timeout");
    });
  }

  #serve({ loadBalancerId, vip }: DesiredListeners, desired: DesiredListener): Endpoint {
    const { unit, drainTimeoutMs, rates } = desired;
    const siblings = this.#served.get(loadBalancerId) ?? new Map<string, Served>();
    this.#served.set(loadBalancerId, siblings);
    const served = siblings.get(unit.id);
    if (served !== undefined) {
      served.drainTimeoutMs = drainTimeoutMs;
      served.account.rates = rates;
      served.proxy.update(unit);
      return served.endpoint;
    }
    const endpoint = this.#endpointAt(placeOf(vip, unit));
    const begun = this.#begin({ loadBalancerId, vip, endpoint }, desired);
    siblings.set(unit.id, begun);
    endpoint.owner = begun;
    return endpoint;
  }

  #begin(place: { loadBalancerId: string; vip: string; endpoint: Endpoint }, desired: DesiredListener): Served {
    const { unit, row, rates, drainTimeoutMs } = desired;
    const account = new ListenerCounter(row, () => this.#onConnectionEnd());
    account.rates = rates;
    const proxy = this.#options.createProxy({ vip: place.vip, unit, account });
    const { loadBalancerId, endpoint } = place;
    return { loadBalancerId, listenerId: unit.id, endpoint, proxy, account, drainTimeoutMs };
  }

  #endpointAt(place: Place): Endpoint {
    const key = keyOf(place);
    const known = this.#endpoints.get(key);
    if (known !== undefined) return known;
    const endpoint: Endpoint = {
      ...place,
      owner: undefined,
      socket: undefined,
      failure: undefined,
      acceptErrorAtMs: -Infinity,
    };
    this.#endpoints.set(key, endpoint);
    return endpoint;
  }

  /** Opens an endpoint that somebody wants, closes one that nobody wants. */
  async #settle(endpoint: Endpoint): Promise<void> {
    const { owner, socket } = endpoint;
    if (owner !== undefined) {
      if (socket === undefined) await this.#open(endpoint);
      return;
    }
    this.#endpoints.delete(keyOf(endpoint));
    endpoint.socket = undefined;
    await socket?.close();
  }

  async #open(endpoint: Endpoint): Promise<void> {
    try {
      endpoint.socket = await (endpoint.transport === "udp" ? this.#bind(endpoint) : this.#listen(endpoint));
      endpoint.failure = undefined;
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      endpoint.failure = error.code;
    }
  }

  #listen(endpoint: Endpoint): Promise<{ close(): Promise<void> }> {
    const { address, port } = endpoint;
    const accept = (connection: Connection): void => {
      const proxy = endpoint.owner?.proxy;
      if (proxy !== undefined && "accept" in proxy) proxy.accept(connection);
      else connection.reset();
    };
    const onAcceptError = (error: TransportError): void => this.#noteAcceptError(endpoint, error);
    return this.#options.transport.listen({ address, port, reusePort: true, backlog: BACKLOG, onAcceptError }, accept);
  }

  #bind(endpoint: Endpoint): Promise<{ close(): Promise<void> }> {
    const { address, port } = endpoint;
    const owner = (): DatagramProxy | undefined => {
      const proxy = endpoint.owner?.proxy;
      return proxy !== undefined && "receive" in proxy ? proxy : undefined;
    };
    return this.#options.datagrams.bind(
      { address, port, reusePort: true },
      {
        onDatagram: (bytes, from, socket) => owner()?.receive(bytes, from, socket),
        onLoss: (error) => owner()?.onLoss(error),
      },
    );
  }

  #noteAcceptError(endpoint: Endpoint, { code }: TransportError): void {
    const nowMs = this.#options.clock.nowMs();
    if (endpoint.owner === undefined || nowMs - endpoint.acceptErrorAtMs < ACCEPT_ERROR_INTERVAL_MS) return;
    endpoint.acceptErrorAtMs = nowMs;
    const { loadBalancerId, listenerId } = endpoint.owner;
    this.#options.onAcceptError({ loadBalancerId, listenerId, code });
  }
}

function placeOf(address: string, { protocol, port }: ListenerUnit): Place {
  return { transport: protocol === "UDP" ? "udp" : "tcp", address, port };
}

function keyOf({ transport, address, port }: Place): string {
  return `${transport} ${address} ${port}`;
}
