import {
  createMemoryStore,
  type LeaseId,
  prefixRange,
  type Store,
  StoreError,
  type Txn,
  type WatchBatch,
  type WatchOptions,
} from "@fiberlb/store";

import type { VipAbility, VipAnnouncer } from "../../../src/announce/ability.ts";
import { createL2Announcer } from "../../../src/announce/l2/announcer.ts";
import type { LinkAddress } from "../../../src/announce/l2/ip-batch.ts";
import type { LinkAddresses } from "../../../src/announce/l2/link-addresses.ts";
import { SWEEP_MS } from "../../../src/announce/l2/tenure.ts";
import type { Cancel, Clock } from "../../../src/clock.ts";
import { silentLog } from "../../../src/log.ts";
import { L2_OWNER_PREFIX } from "../../../src/repository/keys.ts";

/** Chance that is the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** True time: what an observer outside of all nodes sees. */
export class World {
  readonly random: () => number;
  readonly #events: Event[] = [];
  #nowMs = 0;
  #order = 0;

  constructor(seed: number) {
    this.random = seeded(seed);
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  at(atMs: number, run: () => void): Cancel {
    const event = { atMs: Math.max(atMs, this.#nowMs), order: (this.#order += 1), run };
    this.#events.push(event);
    return () => {
      const place = this.#events.indexOf(event);
      if (place !== -1) this.#events.splice(place, 1);
    };
  }

  between(lowMs: number, highMs: number): number {
    return lowMs + this.random() * (highMs - lowMs);
  }

  async advance(ms: number): Promise<void> {
    const end = this.#nowMs + ms;
    await settled();
    for (;;) {
      let next: Event | undefined;
      for (const event of this.#events)
        if (next === undefined || event.atMs < next.atMs || (event.atMs === next.atMs && event.order < next.order))
          next = event;
      if (next === undefined || next.atMs > end) break;
      this.#events.splice(this.#events.indexOf(next), 1);
      this.#nowMs = next.atMs;
      next.run();
      await settled();
    }
    this.#nowMs = end;
  }
}

/** Everything that only waits for promises has run. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 2; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

export interface SimulationOptions {
  readonly seed: number;
  readonly nodes?: number;
  readonly vips?: readonly string[];
  readonly leaseTtlMs?: number;
  readonly preemptAfterMs?: number;
  readonly isStoreExclusive?: boolean;
}

/** Several nodes on one link and one store, with every fault that can be made. */
export class Simulation {
  readonly world: World;
  readonly nodes: readonly SimulatedNode[];
  readonly vips: readonly string[];
  /** Moments at which a VIP was on two links. */
  readonly overlaps: string[] = [];
  readonly #store: Store;

  constructor({ seed, nodes = 3, vips = ["192.0.2.1"], ...options }: SimulationOptions) {
    this.world = new World(seed);
    this.vips = vips;
    const { world } = this;
    this.#store = createMemoryStore({
      clock: { now: () => world.nowMs, after: (delayMs, run) => world.at(world.nowMs + delayMs, run) },
    });
    this.nodes = Array.from({ length: nodes }, (_, at) => {
      const node = new SimulatedNode(`lb-${at + 1}`, world, this.#store, () => this.#check());
      node.boot(vips, options);
      return node;
    });
  }

  /** Names of nodes that have the VIP on their link. */
  owners(vip = this.vips[0] as string): readonly string[] {
    return this.nodes.filter((node) => node.kernel.has(vip)).map(({ name }) => name);
  }

  /** How many VIPs have an owner in the store. */
  async owned(): Promise<number> {
    return (await this.#store.range(prefixRange(L2_OWNER_PREFIX))).kvs.length;
  }

  node(name: string): SimulatedNode {
    return this.nodes.find((node) => node.name === name) as SimulatedNode;
  }

  #check(): void {
    for (const vip of this.vips) {
      const owners = this.owners(vip);
      if (owners.length > 1)
        this.overlaps.push(`${vip} on ${owners.join(" and ")} at ${this.world.nowMs.toFixed(1)} ms`);
    }
  }
}

/** One host: its process may stop, die or be cut off; its kernel goes on. */
export class SimulatedNode {
  readonly name: string;
  /** Addresses on the link, as the neighbours see them. */
  readonly kernel = new Set<string>();
  /** VIPs that neighbours were told of, in order. */
  readonly told: string[] = [];
  isAlive = true;
  isCut = false;
  /** Its transactions arrive, but it does not hear of them; nor by the watch. */
  isDeafToTxns = false;
  linkReason = "";
  /** How fast its clock runs. */
  readonly #rate: number;
  readonly #world: World;
  readonly #store: Store;
  readonly #changed: () => void;
  readonly #ends = new Map<string, Cancel>();
  #isPaused = false;
  #deferred: (() => void)[] = [];
  #announcer: VipAnnouncer | undefined;
  #abilities: readonly VipAbility[] = [];

  constructor(name: string, world: World, store: Store, changed: () => void) {
    this.name = name;
    this.#world = world;
    this.#store = store;
    this.#changed = changed;
    this.#rate = world.between(0.998, 1.002);
  }

  get announcer(): VipAnnouncer {
    return this.#announcer as VipAnnouncer;
  }

  boot(vips: readonly string[], options: Omit<SimulationOptions, "seed"> = {}): void {
    this.#announcer = createL2Announcer({
      ...options,
      store: this.#remoteStore(),
      clock: this.#clock(),
      log: silentLog,
      node: this.name,
      interfaceOf: () => "eth0",
      host: {
        addresses: this.#addresses(),
        notice: { tell: (_device, vip) => (this.told.push(vip), () => undefined), close: () => undefined },
        readLink: () =>
          this.linkReason === ""
            ? { ok: true, link: { index: 1, mac: new Uint8Array(6) } }
            : { ok: false, reason: this.linkReason },
      },
    });
    this.#abilities = vips.map((vip) => abilityOf(vip, true));
    this.announcer.apply(this.#abilities);
  }

  can(vip: string, canServe: boolean): void {
    this.#abilities = this.#abilities.map((one) => (one.vip === vip ? abilityOf(vip, canServe) : one));
    this.#run(() => this.announcer.apply(this.#abilities));
  }

  drain(draining: boolean): void {
    this.#run(() => this.announcer.setDraining(draining));
  }

  /** As by SIGKILL: nothing of the process runs any more. */
  kill(): void {
    this.isAlive = false;
    this.#deferred = [];
  }

  /** As by SIGSTOP. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    for (const run of this.#deferred.splice(0)) this.#run(run);
  }

  #run(run: () => void): void {
    if (!this.isAlive) return;
    if (this.#isPaused) this.#deferred.push(run);
    else run();
  }

  #clock(): Clock {
    const world = this.#world;
    return {
      nowMs: () => 1_000_000 + world.nowMs * this.#rate,
      epochMs: () => world.nowMs,
      after: (delayMs, run) => {
        let isOff = false;
        const cancel = world.at(world.nowMs + delayMs / this.#rate, () => this.#run(() => void (isOff || run())));
        return () => {
          isOff = true;
          cancel();
        };
      },
    };
  }

  /** The kernel's addresses: a command that was started is carried out, whatever becomes of the process. */
  #addresses(): LinkAddresses {
    const command = async <T>(work: () => T): Promise<T> =>
      new Promise((resolve) => {
        this.#world.at(this.#world.nowMs + this.#world.between(1, 45), () => {
          const result = work();
          this.#changed();
          this.#run(() => resolve(result));
        });
      });
    return {
      keep: (_device, vips, seconds) =>
        command(() => {
          for (const vip of vips) this.#put(vip, seconds);
          return new Map();
        }),
      remove: (_device, vips) =>
        command(() => {
          for (const vip of vips) this.#take(vip);
          return new Map();
        }),
      list: () =>
        command(() =>
          [...this.kernel].map((address): LinkAddress => ({
            device: "eth0",
            address,
            prefixLength: address.includes(":") ? 128 : 32,
            validS: 1,
            preferredS: 0,
          })),
        ),
    };
  }

  #put(vip: string, seconds: number): void {
    this.#ends.get(vip)?.();
    this.kernel.add(vip);
    // Often as late as it can be, since that is what matters.
    const sweepMs = this.#world.random() < 0.3 ? SWEEP_MS : this.#world.between(-20, SWEEP_MS);
    const endMs = this.#world.nowMs + seconds * 1000 + sweepMs;
    const end = (): void => {
      this.#take(vip);
      this.#changed();
    };
    this.#ends.set(vip, this.#world.at(endMs, end));
  }

  #take(vip: string): void {
    this.#ends.get(vip)?.();
    this.#ends.delete(vip);
    this.kernel.delete(vip);
  }

  /** The store over a network: calls take time, and get lost on the way there or back while the node is cut off. */
  #remoteStore(): Store {
    const store = this.#store;
    return {
      get: (key, options) => this.#call(() => store.get(key, options)),
      range: (options) => this.#call(() => store.range(options)),
      txn: (txn: Txn) => this.#call(() => store.txn(txn), true),
      grantLease: (ttlMs) => this.#call(() => store.grantLease(ttlMs)),
      keepAlive: (lease: LeaseId) => this.#call(() => store.keepAlive(lease)),
      revokeLease: (lease) => this.#call(() => store.revokeLease(lease)),
      leaseTimeToLive: (lease) => this.#call(() => store.leaseTimeToLive(lease)),
      status: () => this.#call(() => store.status()),
      compact: (revision) => this.#call(() => store.compact(revision)),
      close: () => Promise.resolve(),
      watch: (options) => this.#watch(options),
    };
  }

  async #call<T>(work: () => Promise<T>, isTxn = false): Promise<T> {
    const world = this.#world;
    return new Promise<T>((resolve, reject) => {
      const lost = (): void =>
        void world.at(world.nowMs + 1500, () => this.#run(() => reject(new StoreError("UNAVAILABLE", "cut off"))));
      const answer = (give: () => void): void => {
        world.at(world.nowMs + this.#latencyMs(), () =>
          this.isCut || (isTxn && this.isDeafToTxns) ? lost() : this.#run(give),
        );
      };
      world.at(world.nowMs + this.#latencyMs(), () => {
        if (this.isCut) return lost();
        work().then(
          (value) => answer(() => resolve(value)),
          (error: Error) => answer(() => reject(error)),
        );
      });
    });
  }

  #latencyMs(): number {
    return this.#world.random() < 0.15 ? this.#world.between(50, 250) : this.#world.between(1, 10);
  }

  async *#watch(options: WatchOptions): AsyncIterable<WatchBatch> {
    for await (const batch of this.#store.watch(options)) {
      await this.#arrival();
      yield batch;
    }
  }

  /** A stream that is cut off delivers later, in order. */
  #arrival(): Promise<void> {
    return new Promise((resolve) => {
      const tryIt = (): void =>
        void this.#world.at(this.#world.nowMs + this.#latencyMs(), () =>
          this.isCut || this.isDeafToTxns ? tryIt() : this.#run(resolve),
        );
      tryIt();
    });
  }
}

const abilityOf = (vip: string, canServe: boolean): VipAbility => ({
  vip,
  loadBalancerId: `lb of ${vip}`,
  vipPool: "default",
  canServe,
  reason: canServe ? "" : "no healthy backend on this node",
  canAnswer: true,
  kernelOnly: false,
});
