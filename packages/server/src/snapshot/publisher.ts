/**
 * The one bridge from control to data: watches the store, compiles the load balancers that changed and hands the whole
 * state over as a snapshot in which everything else is the same object as before.
 */
import { isDeepStrictEqual } from "node:util";

import { type Clock, delay } from "../clock.ts";
import type { Log } from "../log.ts";
import type { TreeAddress } from "../repository/tree.ts";
import type { UnitChange } from "../repository/unit-changes.ts";
import type { CertificateShelf } from "./certificate-shelf.ts";
import { certificateIdsOf } from "./compile-tls.ts";
import { compile, type ResolveHost, type UnitSource } from "./compile.ts";
import { NameUsers } from "./name-users.ts";
import type { Snapshot, Unit } from "./snapshot.ts";
import { UnitMap } from "./unit-map.ts";

/** Where the publisher reads the truth: the repository. */
export interface PublisherSource {
  /** Every load balancer with what is below it, and the revision that this shows. */
  loadAll(): Promise<{ readonly revision: number; readonly trees: readonly UnitSource[] }>;
  /** One as it is now; undefined when it is gone. `previous`: as it was read before, to save work. */
  readTree(address: TreeAddress, previous: UnitSource | undefined): Promise<UnitSource | undefined>;
  /** Load balancers that change from a revision on, without a gap. Throws when the store is lost. */
  watch(fromRevision: number, signal: AbortSignal): AsyncIterable<UnitChange>;
}

/** What the publisher hands over: the snapshot, and the entities it was made of. */
export interface Published {
  readonly snapshot: Snapshot;
  readonly trees: ReadonlyMap<string, UnitSource>;
  /**
   * Load balancers that were read or compiled again, or have gone, since what was handed over before. Nothing else
   * differs, so that who takes it has work to do for these alone.
   */
  readonly touched: ReadonlySet<string>;
  /** DNS names that backends are called by; the same object for as long as no name comes or goes. */
  readonly names: ReadonlySet<string>;
}

export interface PublisherOptions {
  readonly source: PublisherSource;
  readonly resolveHost: ResolveHost;
  /** Filled with what a load balancer names before it is compiled, and relieved of what none names any more. */
  readonly certificates: CertificateShelf;
  /** What was applied before this process: taken instead of what the store says, which is not asked before `over`. */
  readonly meanwhile?: { readonly trees: readonly UnitSource[]; readonly over: Promise<void> };
  /** Makes it so. Called one at a time; changes that come meanwhile are gathered into the next call. Must not reject. */
  readonly onSnapshot: (published: Published) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
}

/** How long to wait before the store is asked again after it failed. */
const RETRY_MS = 1000;

/** Keeps the data path at the store's state. */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #stop = new AbortController();
  readonly #trees = new Map<string, UnitSource>();
  readonly #units = new Map<string, Unit>();
  readonly #nameUsers = new NameUsers();
  #touched = new Set<string>();
  #handedOver = UnitMap.empty;
  #revision = 0;
  /** Load balancers whose names resolve differently now: to be compiled again. */
  readonly #stale = new Set<string>();
  #handingOver: Promise<void> | undefined;
  #again = false;
  /** The store has not been read so far. */
  #isBehind = false;
  #isCutOff = false;
  #watching: Promise<void> | undefined;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /**
   * Reads everything, or takes what was saved, hands it over, then follows the changes.
   *
   * @throws when the store cannot be read
   */
  async start(): Promise<void> {
    const { meanwhile } = this.#options;
    if (meanwhile === undefined) await this.#reload();
    else await this.#takeSaved(meanwhile.trees);
    await this.#handOver();
    this.#watching = this.#follow();
  }

  /** Compiles every load balancer again that has a backend of one of these names. */
  resolved(hosts: ReadonlySet<string>): void {
    for (const id of this.#nameUsers.usersOf(hosts)) this.#stale.add(id);
    if (this.#stale.size > 0) void this.#handOver();
  }

  /** Ends the watch; resolves when nothing is handed over any more. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#watching;
    await this.#handingOver;
  }

  async #takeSaved(trees: readonly UnitSource[]): Promise<void> {
    await this.#fetchCertificates(trees);
    for (const tree of trees) this.#take(tree);
    this.#isBehind = true;
  }

  async #reload(): Promise<void> {
    const { revision, trees } = await this.#options.source.loadAll();
    const ids = new Set<string>(trees.map((tree) => tree.loadBalancer.id));
    await this.#fetchCertificates(trees);
    for (const id of this.#trees.keys()) if (!ids.has(id)) this.#forget(id);
    for (const tree of trees) this.#take(tree);
    this.#revision = revision;
  }

  async #follow(): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        if (this.#isBehind) await this.#catchUp();
        await this.#followOnce(signal);
      } catch (error) {
        if (signal.aborted) return;
        if (!this.#isCutOff && !this.#isBehind)
          log.warn("the store cannot be followed; forwarding goes on as configured last", { error });
        this.#isCutOff = true;
        await delay(clock, RETRY_MS, signal).catch(() => undefined);
      }
    }
  }

  async #catchUp(): Promise<void> {
    const { signal } = this.#stop;
    const stopped = new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    await Promise.race([this.#options.meanwhile?.over, stopped]);
    signal.throwIfAborted();
    await this.#reload();
    this.#isBehind = false;
    this.#options.log.info("the store is there: its configuration is applied from now on", {
      revision: this.#revision,
      loadBalancers: this.#trees.size,
    });
    void this.#handOver();
  }

  async #followOnce(signal: AbortSignal): Promise<void> {
    for await (const change of this.#options.source.watch(this.#revision + 1, signal)) {
      if (this.#isCutOff) this.#options.log.info("the store is followed again");
      this.#isCutOff = false;
      if (change.type === "reload") {
        await this.#reload();
        void this.#handOver();
        return;
      }
      for (const id of change.removed) this.#forget(id);
      for (const address of change.changed) await this.#read(address);
      this.#revision = change.revision;
      // A revision that changed no load balancer is nothing to apply; what this node writes of itself is one, too.
      if (change.changed.length + change.removed.length === 0) continue;
      // Not awaited: while this is being applied, further changes are read and gathered.
      void this.#handOver();
    }
  }

  async #read(address: TreeAddress): Promise<void> {
    const tree = await this.#options.source.readTree(address, this.#trees.get(address.loadBalancerId));
    if (tree === undefined) return this.#forget(address.loadBalancerId);
    await this.#fetchCertificates([tree]);
    this.#take(tree);
  }

  /** Most load balancers name none, and those that are at hand are not read again. */
  async #fetchCertificates(trees: readonly UnitSource[]): Promise<void> {
    const named = trees.flatMap((tree) => [...certificateIdsOf(tree)].map((id) => ({ owner: tree.loadBalancer, id })));
    if (named.length > 0) await this.#options.certificates.fetch(named);
  }

  #take(tree: UnitSource): void {
    const { id } = tree.loadBalancer;
    this.#trees.set(id, tree);
    // Only now: until here it was compiled with those it named before.
    this.#options.certificates.use(id, certificateIdsOf(tree));
    this.#nameUsers.set(
      id,
      tree.backends.flatMap(({ address, monitorAddress = address }) => [address, monitorAddress]),
    );
    this.#compile(id, tree);
  }

  #forget(id: string): void {
    this.#trees.delete(id);
    this.#options.certificates.use(id, new Set());
    this.#nameUsers.set(id, []);
    this.#stale.delete(id);
    this.#units.delete(id);
    this.#touched.add(id);
  }

  /** A unit that comes out equal stays the same object, so that the data path has nothing to do. */
  #compile(id: string, tree: UnitSource): void {
    this.#stale.delete(id);
    this.#touched.add(id);
    const { resolveHost, certificates } = this.#options;
    const unit = compile(tree, { resolveHost, findCertificate: (one) => certificates.find(one) });
    if (isDeepStrictEqual(unit, this.#units.get(id))) return;
    this.#units.set(id, unit);
  }

  #handOver(): Promise<void> {
    this.#again = true;
    this.#handingOver ??= this.#handOverUntilDone();
    return this.#handingOver;
  }

  async #handOverUntilDone(): Promise<void> {
    while (this.#again && !this.#stop.signal.aborted) {
      this.#again = false;
      for (const id of this.#stale) this.#compile(id, this.#trees.get(id)!);
      const touched = this.#touched;
      this.#touched = new Set();
      this.#handedOver = this.#handedOver.with([...touched].map((id) => [id, this.#units.get(id)]));
      const snapshot = { revision: this.#revision, units: this.#handedOver };
      await this.#options.onSnapshot({ snapshot, trees: this.#trees, touched, names: this.#nameUsers.names });
    }
    // In the same turn as the check of #again, so that no call in between is lost.
    this.#handingOver = undefined;
  }
}
