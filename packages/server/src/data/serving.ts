import { createHmac } from "node:crypto";

import type { Clock } from "../clock.ts";
import type { Random } from "../random.ts";
import type { ListenerUnit, MaglevTableUnit, MaglevUnit, PoolUnit, TlsUnit, Unit } from "../snapshot/snapshot.ts";
import type { Balancer } from "./balancer.ts";
import { CounterTable, type Row } from "./counters.ts";
import type { DrainOptions } from "./data-plane.ts";
import { FlowBudget } from "./l4/flow-budget.ts";
import { TcpProxy } from "./l4/tcp-proxy.ts";
import { UdpProxy } from "./l4/udp-proxy.ts";
import type { BackendProtocol } from "./l7/backend-protocol.ts";
import { BackendProtocols } from "./l7/backend-protocols.ts";
import { type ConnectFailure, ConnectFailures } from "./l7/connect-failures.ts";
import type { FindHttpPool, HashKey, HttpPool } from "./l7/http-pools.ts";
import { Http1Proxy } from "./l7/http1-proxy.ts";
import { RequestIds } from "./l7/request-id.ts";
import { type Hmac, PoolSessions } from "./l7/session.ts";
import { Upstreams } from "./l7/upstreams.ts";
import { type DesiredListeners, Listeners, type ProxiedListener } from "./listeners.ts";
import { PoolBalancer, type PoolBalancerOptions } from "./pool-balancer.ts";
import { ProxiedProxy } from "./proxied-proxy.ts";
import type { DatagramProxy, Proxy } from "./proxy.ts";
import { sourceRates } from "./rate/source-rates.ts";
import { SecuredProxy } from "./secured-proxy.ts";
import { PoolTls } from "./tls/tls-client.ts";
import { ListenerTls } from "./tls/tls-server.ts";
import type { DatagramTransport } from "./transport/datagram.ts";
import type { Transport } from "./transport/transport.ts";
import type { ApplyMessage, BindFailure, SharedMemory, UnitAssignment, WorkerStart } from "./worker-protocol.ts";

/** What {@link Serving} needs of its thread. */
export interface ServingOptions extends WorkerStart {
  readonly transport: Transport;
  readonly datagrams: DatagramTransport;
  readonly clock: Clock;
  readonly random: Random;
  /** Flows of datagrams that this worker keeps at once. */
  readonly maxFlows: number;
  /** See {@link Listeners}. */
  readonly onAcceptError: (failure: BindFailure) => void;
  /** A backend can't be connected to; told at times, not each time. */
  readonly onConnectFailed?: (failure: ConnectFailure) => void;
  /** A backend has failed as often in a row as its pool allows, over all workers. */
  readonly onOutlier?: (poolId: string, backendId: string) => void;
}

/** Everything that one worker serves: the pools and listeners of all load balancers. */
export class Serving {
  readonly #options: ServingOptions;
  readonly #listeners: Listeners;
  readonly #balancers = new Map<string, PoolBalancer>();
  /** Of {@link #balancers} those that are spoken to in HTTP. */
  readonly #httpPools = new Map<string, HttpPool>();
  readonly #backendProtocols: BackendProtocols;
  readonly #upstreams: Upstreams;
  readonly #flowBudget: FlowBudget;
  readonly #requestIds: RequestIds;
  /** Of pools that cannot be spoken to, by pool: their listeners. */
  readonly #poolFailures = new Map<string, readonly BindFailure[]>();
  readonly #poolsOf = new Map<string, ReadonlySet<string>>();
  readonly #tables = new Map<string, MaglevTableUnit>();
  readonly #shared: Readonly<Record<keyof SharedMemory, CounterTable>>;
  /** The end of what is under way: one message is applied after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: ServingOptions) {
    this.#options = options;
    const { transport, datagrams, clock, random, memory, onAcceptError, onConnectFailed = () => {} } = options;
    const failures = new ConnectFailures({ clock, report: onConnectFailed });
    const onConnectError = failures.note.bind(failures);
    this.#upstreams = new Upstreams({ transport, clock, onConnectError });
    this.#backendProtocols = new BackendProtocols((unit) => new PoolTls(unit));
    this.#requestIds = new RequestIds(random);
    this.#flowBudget = new FlowBudget(options.maxFlows);
    const createProxy = (listener: ProxiedListener): Proxy | DatagramProxy => this.#createProxy(listener);
    this.#listeners = new Listeners({ transport, datagrams, clock, createProxy, onAcceptError });
    this.#shared = {
      backends: CounterTable.open(memory.backends),
      listeners: CounterTable.open(memory.listeners),
      pools: CounterTable.open(memory.pools),
    };
  }

  /** Serves what the message says; answers with every listener that is not open. */
  apply(message: ApplyMessage): Promise<readonly BindFailure[]> {
    return this.#after(async () => {
      this.#attach(message.memory);
      for (const assignment of message.assignments) this.#updatePools(assignment);
      await this.#listeners.apply([
        ...message.assignments.map((assignment) => this.#desired(assignment)),
        ...message.removed.map((loadBalancerId) => ({ loadBalancerId, vip: "", listeners: [] })),
      ]);
      for (const loadBalancerId of message.removed) this.#retirePools(loadBalancerId, new Set());
      return [...this.#listeners.failures(), ...[...this.#poolFailures.values()].flat()];
    });
  }

  /** Replaces a pool's Maglev table; it may come before the pool does. */
  setTable(table: MaglevTableUnit): void {
    this.#tables.set(table.poolId, table);
  }

  /** A backend was found down. */
  backendDown(poolId: string, backendId: string): void {
    this.#upstreams.forget(backendId);
    this.#balancers.get(poolId)?.backendDown(backendId);
  }

  /** Stops accepting, lets connections finish for so long, ends the rest. */
  stop(drain: DrainOptions): Promise<void> {
    return this.#after(async () => {
      await this.#listeners.stop(drain);
      this.#upstreams.close();
    });
  }

  #after<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done;
    return done;
  }

  #attach(memory: SharedMemory): void {
    this.#shared.backends.attach(memory.backends.segments);
    this.#shared.listeners.attach(memory.listeners.segments);
    this.#shared.pools.attach(memory.pools.segments);
  }

  #updatePools({ unit, slots }: UnitAssignment): void {
    for (const pool of unit.pools) {
      const rowOf = (backendId: string): Row => this.#row("backends", slots.backends[backendId]);
      const balancer = this.#balancers.get(pool.id);
      if (balancer !== undefined) balancer.update(pool, rowOf);
      else
        this.#balancers.set(
          pool.id,
          this.#createBalancer(pool, { row: this.#row("pools", slots.pools[pool.id]), rowOf }),
        );
      this.#noteHttp(pool, unit);
    }
    const ids = new Set(unit.pools.map(({ id }) => id));
    this.#retirePools(unit.loadBalancerId, ids);
    this.#poolsOf.set(unit.loadBalancerId, ids);
  }

  /** Sessions are made anew with the pool: their cookies are the same as long as the backends are. */
  #noteHttp(pool: PoolUnit, unit: Unit): void {
    const { id: poolId, session, backends, maglev } = pool;
    const protocol = this.#protocolOf(pool, unit);
    if (protocol === undefined) return void this.#httpPools.delete(poolId);
    const backendIds = backends.map(({ id }) => id);
    const hmac: Hmac = (bytes) => createHmac("sha256", this.#options.sessionKey).update(bytes).digest();
    const sessions =
      session === undefined ? undefined : new PoolSessions({ poolId, session, backendIds, hmacs: [hmac] });
    const balancer = this.#balancers.get(poolId) as PoolBalancer;
    this.#httpPools.set(poolId, { balancer, sessions, protocol, hashKey: hashKeyOf(maglev) });
  }

  /** A pool whose certificates cannot be used is a problem of the listeners that lead to it, and of nobody else. */
  #protocolOf(pool: PoolUnit, { loadBalancerId, listeners }: Unit): BackendProtocol | undefined {
    this.#poolFailures.delete(pool.id);
    const protocol = this.#backendProtocols.of(pool);
    if (protocol?.kind !== "unusable") return protocol;
    const problem = `pool ${pool.name}: ${protocol.reason}`;
    const users = listeners.filter((listener) => poolIdsOf(listener).includes(pool.id));
    const failures = users.map(({ id: listenerId }) => ({ loadBalancerId, listenerId, code: "EINVAL", problem }));
    this.#poolFailures.set(pool.id, failures);
    return protocol;
  }

  #createProxy(listener: ProxiedListener): Proxy | DatagramProxy {
    const { vip, unit, account } = listener;
    const { transport, datagrams, clock, random, ticketSecret: secret } = this.#options;
    const balancer = (poolId: string): Balancer | undefined => this.#balancers.get(poolId);
    const common = { listener: unit, vip, clock, account };
    if (unit.protocol === "UDP") {
      return new UdpProxy({ ...common, balancer, transport: datagrams, budget: this.#flowBudget });
    }
    const innermost =
      unit.http === undefined
        ? new TcpProxy({ ...common, random, balancer, transport })
        : this.#createHttpProxy(listener);
    const createTls = (tls: TlsUnit): ListenerTls => new ListenerTls({ listenerId: unit.id, unit: tls, secret, clock });
    const inner =
      unit.tls === undefined
        ? innermost
        : new SecuredProxy({ listener: unit, transport, account, createTls, inner: innermost });
    // Always there, since a listener may come to accept the protocol; until then it only passes on.
    return new ProxiedProxy({ listener: unit, clock, account, inner });
  }

  #createHttpProxy({ vip, unit, account }: ProxiedListener): Proxy {
    const { clock, random } = this.#options;
    const pool: FindHttpPool = (poolId) => this.#httpPools.get(poolId);
    const upstreams = this.#upstreams;
    return new Http1Proxy({
      listener: unit,
      vip,
      clock,
      random,
      account,
      upstreams,
      requestIds: this.#requestIds,
      pool,
    });
  }

  #createBalancer(pool: PoolUnit, rows: Pick<PoolBalancerOptions, "row" | "rowOf">): PoolBalancer {
    const { clock, random, onOutlier } = this.#options;
    return new PoolBalancer(pool, {
      clock,
      random,
      table: () => this.#tables.get(pool.id),
      onOutlier: (backendId) => onOutlier?.(pool.id, backendId),
      ...rows,
    });
  }

  #retirePools(loadBalancerId: string, staying: ReadonlySet<string>): void {
    for (const poolId of this.#poolsOf.get(loadBalancerId) ?? []) {
      if (staying.has(poolId)) continue;
      this.#balancers.get(poolId)?.retire();
      this.#balancers.delete(poolId);
      this.#httpPools.delete(poolId);
      this.#backendProtocols.forget(poolId);
      this.#poolFailures.delete(poolId);
      this.#tables.delete(poolId);
    }
    if (staying.size === 0) this.#poolsOf.delete(loadBalancerId);
  }

  #desired({ unit, slots, rates }: UnitAssignment): DesiredListeners {
    const drainTimeouts = new Map(unit.pools.map(({ id, drainTimeoutMs }) => [id, drainTimeoutMs]));
    return {
      loadBalancerId: unit.loadBalancerId,
      vip: unit.vip,
      listeners: unit.listeners.map((listener) => ({
        unit: listener,
        row: this.#row("listeners", slots.listeners[listener.id]),
        rates: sourceRates(listener, rates[listener.id] ?? {}, this.#options.clock),
        drainTimeoutMs: Math.max(0, ...poolIdsOf(listener).map((id) => drainTimeouts.get(id) ?? 0)),
      })),
    };
  }

  #row(table: keyof SharedMemory, slot: number | undefined): Row {
    if (slot === undefined) throw new Error(`Cannot count in ${table}: a unit came without the slot of one of its own`);
    return this.#shared[table].row(slot, this.#options.index);
  }
}

function hashKeyOf(maglev: MaglevUnit | undefined): HashKey | undefined {
  if (maglev?.hashKeyName === undefined) return undefined;
  const { hashKey: type, hashKeyName: name } = maglev;
  return type === "HEADER" || type === "COOKIE" ? { type, name } : undefined;
}

/** The pools that a listener's connections or requests may go to; without one it has none to wait for. */
function poolIdsOf({ defaultPoolId, http, sniPolicies }: ListenerUnit): readonly string[] {
  const routed = (http?.policies ?? sniPolicies ?? []).flatMap(({ action }) =>
    action.type === "REDIRECT_TO_POOL" ? action.pools.map(({ poolId }) => poolId) : [],
  );
  return defaultPoolId === undefined ? routed : [defaultPoolId, ...routed];
}
