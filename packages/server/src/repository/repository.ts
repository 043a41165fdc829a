import { isDeepStrictEqual } from "node:util";

import { prefixRange, type Store } from "@fiberlb/store";
import { DomainError, type Node, type VipPool, type VipPoolSpec } from "@fiberlb/types";

import type { Clock } from "../clock.ts";
import { AnnounceView } from "./announce-records.ts";
import { CascadeSweeper } from "./cascade-sweeper.ts";
import { ChangeFeed } from "./change-feed.ts";
import { decodeJson, decodeText } from "./codec.ts";
import { createOne, type CreateRequest, type Written } from "./create.ts";
import { type DeleteRequest, startDeletion } from "./delete.ts";
import { DnsView, DnsWriter } from "./dns-records.ts";
import { ElectedView } from "./elected-view.ts";
import { Election } from "./election.ts";
import { EntityReader, type Stored } from "./entity-reader.ts";
import { growTable, poolHooks } from "./hooks-maglev.ts";
import { listenerHooks, policyHooks } from "./hooks-policy.ts";
import { registrationHooks } from "./hooks-registration.ts";
import { vipHooks } from "./hooks-vip.ts";
import { createIds } from "./ids.ts";
import { backendAddressKey, NODE_PREFIX, type Tenant, type TenantKind } from "./keys.ts";
import { type ListQuery, listEntities, type Page } from "./list.ts";
import { Maintenance } from "./maintenance.ts";
import type { NodeInstance } from "./node-lease.ts";
import { NodeSession } from "./node-session.ts";
import { NodeView } from "./node-view.ts";
import { Reaper } from "./reaper.ts";
import { deregister, renew } from "./registrations.ts";
import { Requests } from "./requests.ts";
import { type LoadBalancerTree, readTree, readUnits, type TreeAddress } from "./tree.ts";
import { type UnitChange, watchUnits } from "./unit-changes.ts";
import { updateOne, type UpdateRequest } from "./update.ts";
import { VipLedger } from "./vip-ledger.ts";
import { VipPoolView } from "./vip-pool-view.ts";
import { VipPools } from "./vip-pools.ts";
import type { WriteContext } from "./write-context.ts";

export interface RepositoryOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** For ids; fills the array with random bytes, as `crypto.getRandomValues` does. */
  readonly fillRandom: (bytes: Uint8Array<ArrayBuffer>) => void;
  /** A released VIP rests for so long. */
  readonly vipReuseDelayMs: number;
  /** Whether this process's data plane has no connection to a backend; with several nodes it is not asked. Default: never idle. */
  readonly isIdle?: (backendId: string) => boolean;
  /** Something in the background failed and is tried again; `what` for the log. */
  readonly onError: (error: unknown, what: string) => void;
}

/** Everything that every node serves, and where to go on from. */
export interface LoadedUnits {
  readonly trees: readonly LoadBalancerTree[];
  /** Pass `revision + 1` to {@link Repository.watch}. */
  readonly revision: number;
}

/** Load balancers read at once: the store answers them together, and decoding those must not stall the thread. */
const LOADED_TOGETHER = 16;

/** The truth: typed entities over the store. Every write is one transaction that compares what it was judged by. */
export class Repository {
  readonly store: Store;
  readonly reader: EntityReader;
  readonly vipPools: VipPools;
  readonly nodes: NodeView;
  readonly feed: ChangeFeed;
  /** Which nodes are to be out of service. */
  readonly maintenance: Maintenance;
  /** Which node acts for all. */
  readonly elected: ElectedView;
  /** What DNS names of backends stand for. */
  readonly dns: DnsView;
  /** What nodes say of the VIPs that they announce. */
  readonly announcements: AnnounceView;
  /** How VIPs are announced. */
  readonly vipPoolView: VipPoolView;
  readonly #context: WriteContext;
  readonly #reaper: Reaper;
  readonly #options: RepositoryOptions;
  readonly #sweeper: CascadeSweeper;

  constructor(options: RepositoryOptions) {
    const { store, clock, vipReuseDelayMs: reuseDelayMs, onError } = options;
    this.#options = options;
    this.store = store;
    this.reader = new EntityReader(store);
    this.feed = new ChangeFeed(store, { clock, onError: (error) => onError(error, "watching the store") });
    this.nodes = new NodeView(store, { feed: this.feed, clock });
    this.maintenance = new Maintenance(store, { feed: this.feed, clock });
    this.elected = new ElectedView(store, this.feed);
    this.dns = new DnsView(store, this.feed);
    this.announcements = new AnnounceView(store, this.feed);
    this.vipPoolView = new VipPoolView(store, this.feed);
    const ids = createIds(clock, options.fillRandom);
    this.vipPools = new VipPools(store, { ids, clock });
    const ledger = new VipLedger(store, this.feed);
    const requests = new Requests(store, clock);
    this.#context = {
      store,
      clock,
      ids,
      requests,
      reader: this.reader,
      hooks: {
        loadBalancer: vipHooks({ store, clock, ledger, pools: this.vipPools, reuseDelayMs }),
        listener: listenerHooks,
        pool: poolHooks(store),
        backend: {
          ...registrationHooks(store),
          created: (stored) => growTable(this.reader, clock, stored),
        },
        healthCheck: {},
        l7Policy: policyHooks(this.reader),
        l7Rule: {},
        certificate: {},
      },
    };
    this.#sweeper = new CascadeSweeper(this.#context, onError);
    this.#reaper = new Reaper({
      context: this.#context,
      feed: this.feed,
      onError: (error, id) => onError(error, `taking out backend ${id}`),
      // What other nodes carry is not known here.
      isIdle: (id) => this.nodes.live.length <= 1 && (options.isIdle?.(id) ?? false),
    });
  }

  /**
   * Loads what is kept in memory, follows the store, and goes on with deletions that a crash interrupted. After a failure
   * it may be called again.
   */
  async start(): Promise<void> {
    await this.feed.start();
    await this.#sweeper.resume();
  }

  async stop(): Promise<void> {
    await this.feed.stop();
    await this.#reaper.stop();
    await this.#sweeper.stop();
  }

  create<K extends TenantKind>(request: CreateRequest<K>): Promise<Written<K>> {
    return createOne(this.#context, request);
  }

  update<K extends TenantKind>(request: UpdateRequest<K>): Promise<Written<K>> {
    return updateOne(this.#context, request);
  }

  /** With `cascade`, resolves when everything below has gone, too; when that fails it is gone on with in the background. */
  async delete(request: DeleteRequest): Promise<void> {
    const { stored, marked } = await startDeletion(this.#context, request);
    if (marked && !request.validateOnly) await this.#sweeper.run(stored);
  }

  /** @throws DomainError `not-found`, the same for an id of another tenant and one that nobody has */
  get<K extends TenantKind>(tenant: Tenant, kind: K, id: string): Promise<Stored<K>> {
    return this.reader.require(tenant, kind, id);
  }

  list<K extends TenantKind>(query: ListQuery<K>): Promise<Page<K>> {
    return listEntities(this.reader, query);
  }

  /** The backend of a pool at an address; undefined when there is none. */
  async backendAt(
    tenant: Tenant,
    at: { readonly poolId: string; readonly address: string; readonly port: number },
  ): Promise<Stored<"backend"> | undefined> {
    const { kv } = await this.store.get(backendAddressKey(tenant, at));
    return kv === undefined ? undefined : this.reader.find(tenant, "backend", decodeText(kv.value));
  }

  renewBackend(stored: Stored<"backend">): Promise<Stored<"backend">> {
    return renew(this.#context, stored);
  }

  deregisterBackend(stored: Stored<"backend">): Promise<void> {
    return deregister(this.#context, stored);
  }

  /** For the snapshot publisher: every load balancer of every tenant. */
  async loadAll(): Promise<LoadedUnits> {
    const { units, revision } = await readUnits(this.store);
    const trees: LoadBalancerTree[] = [];
    for (let start = 0; start < units.length; start += LOADED_TOGETHER) {
      const reads = units.slice(start, start + LOADED_TOGETHER).map((address) => readTree(this.store, address));
      trees.push(...(await Promise.all(reads)).filter((tree) => tree !== undefined));
    }
    return { trees, revision };
  }

  /**
   * One load balancer with everything below it; undefined when it has gone.
   *
   * @param previous the tree as it was read before, to save work; see {@link readTree}
   */
  readTree(address: TreeAddress, previous?: object): Promise<LoadBalancerTree | undefined> {
    return readTree(this.store, address, previous);
  }

  /** Load balancers that change from `fromRevision` on, without a gap. */
  watch(fromRevision: number, signal: AbortSignal): AsyncIterable<UnitChange> {
    return watchUnits(this.store, fromRevision, signal);
  }

  /**
   * Begins to speak for the node of this name: its record, its verdicts on backends and whatever else it tells others.
   *
   * @param instance tells this process from others that were given the same name; absent: as a host of its own
   */
  openNodeSession(name: string, instance: NodeInstance = this.#anonymous(name)): NodeSession {
    const { store, clock, onError } = this.#options;
    return new NodeSession({
      name,
      instance,
      store,
      clock,
      view: this.nodes,
      onError: (error) => onError(error, "publishing the node"),
    });
  }

  /** The nodes that live, by name, as the store says now; `nodes` knows them without asking. */
  async readNodes(): Promise<Node[]> {
    const { kvs } = await this.store.range(prefixRange(NODE_PREFIX));
    return kvs.map(({ value }) => decodeJson(value) as Node).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Of nodes that start together on an empty store, one is faster. */
  async #seedVipPool(spec: VipPoolSpec): Promise<void> {
    try {
      await this.vipPools.create(spec, { validateOnly: false });
    } catch (error) {
      if (!(error instanceof DomainError) || error.kind !== "already-exists") throw error;
    }
  }

  /** Has the node of this session stand for election. Elected, it goes on with deletions that a node left when it died. */
  openElection(name: string, { lease }: Pick<NodeSession, "lease">): Election {
    const { store, clock, onError } = this.#options;
    const onFailed = (error: unknown): void => onError(error, "standing for election");
    const election = new Election({ store, clock, view: this.elected, lease, name, onError: onFailed });
    const resume = (): void => {
      if (!election.isElected) return;
      this.#sweeper.resume().catch((error: unknown) => onError(error, "looking for deletions that a node left"));
    };
    election.onChange(resume);
    this.feed.subscribe({
      onChange: ({ type, kv }) => type === "delete" && kv.key.startsWith(NODE_PREFIX) && resume(),
    });
    return election;
  }

  /** Writes, for the elected node, what DNS names stand for. */
  openDnsWriter(election: Election): DnsWriter {
    const { store, clock, onError } = this.#options;
    const onFailed = (error: unknown): void => onError(error, "writing what DNS names stand for");
    return new DnsWriter({ store, clock, election, onError: onFailed });
  }

  #anonymous(host: string): NodeInstance {
    const process = this.#context.ids.next();
    return { installation: process, process, host, startedAt: new Date(this.#options.clock.epochMs()).toISOString() };
  }

  /**
   * Writes the configured VIP pools when the store has none. Otherwise the store's are used.
   *
   * @returns for each difference one line for the log
   */
  async seedVipPools(configured: readonly VipPoolSpec[]): Promise<string[]> {
    const stored = await this.vipPools.list();
    if (stored.length === 0) {
      for (const spec of configured) await this.#seedVipPool(spec);
      return [];
    }
    return differences(configured, stored);
  }
}

function differences(configured: readonly VipPoolSpec[], stored: readonly VipPool[]): string[] {
  const byName = new Map(stored.map((pool) => [pool.name, pool]));
  const told = configured.flatMap((wanted) => {
    const pool = byName.get(wanted.name);
    if (pool === undefined) return [`VIP pool ${wanted.name} of the configuration file is not in the store: ignored`];
    return difference(wanted, pool) ?? [];
  });
  const names = new Set(configured.map(({ name }) => name));
  const extra = stored
    .filter(({ name }) => !names.has(name))
    .map(({ name }) => `VIP pool ${name} is in the store, not in the file`);
  return [...told, ...extra];
}

function difference(wanted: VipPoolSpec, pool: VipPool): string | undefined {
  const { name } = wanted;
  const isSame = (["autoAssign", "announce", "bgp", "cidrs"] as const).every((key) =>
    isDeepStrictEqual(wanted[key], pool[key]),
  );
  if (isSame) return undefined;
  const [file, store] = [wanted.cidrs.join(", "), pool.cidrs.join(", ")];
  if (file !== store) return `VIP pool ${name} differs: the file says ${file}, the store ${store}; the store's is used`;
  return `VIP pool ${name} differs from the file in autoAssign, announce or bgp; the store's is used`;
}
