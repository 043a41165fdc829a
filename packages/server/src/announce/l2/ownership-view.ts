/**
 * What the store says of the VIPs of the link: who has which, and who could. Followed by a watch; only what concerns this
 * folder is read.
 */
import { isStoreError, type KeyValue, type LeaseId, prefixRange, type Store, type WatchEvent } from "@fiberlb/store";
import type { IpAddress } from "@fiberlb/types";

import { type Clock, delay } from "../../clock.ts";
import { decodeJson } from "../../repository/codec.ts";
import { addressOfKey, L2_NODE_PREFIX, L2_OWNER_PREFIX, L2_PREFIX, lastText } from "../../repository/keys.ts";

/** Who has a VIP, as it stands in the store. */
export interface OwnerRecord {
  readonly node: string;
  /** The address is off that node's link; it is anybody's. */
  readonly isReleased: boolean;
  readonly lease: LeaseId | undefined;
  readonly modRevision: number;
}

/** What a node says of itself in the store. */
export interface NodeClaims {
  /** VIPs that it can serve. */
  readonly serves: readonly string[];
  /** VIPs that it can't, but answers for. */
  readonly answers: readonly string[];
}

export interface OwnershipViewOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** Of these VIPs something has changed; undefined: possibly of all. */
  readonly onChange: (vips: readonly string[] | undefined) => void;
  /** The watch broke; it is begun again after `RETRY_MS`. */
  readonly onError: (error: unknown) => void;
}

interface NodeView {
  /** Since when, monotonic. */
  readonly serves: ReadonlyMap<string, number>;
  readonly answers: ReadonlySet<string>;
}

const RETRY_MS = 500;

/** Owners and candidates of all VIPs, as known here. */
export class OwnershipView {
  readonly #options: OwnershipViewOptions;
  readonly #owners = new Map<string, OwnerRecord>();
  readonly #freeSince = new Map<string, number>();
  readonly #nodes = new Map<string, NodeView>();
  readonly #stopped = new AbortController();
  #running: Promise<void> | undefined;
  #loadedAtMs: number | undefined;

  constructor(options: OwnershipViewOptions) {
    this.#options = options;
  }

  /** Whether the store has been read at all. */
  get isLoaded(): boolean {
    return this.#loadedAtMs !== undefined;
  }

  /** Begins to follow, as soon as the store can be read. */
  start(): void {
    this.#running ??= this.#follow();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  owner(vip: string): OwnerRecord | undefined {
    return this.#owners.get(vip);
  }

  /** When it was seen first that nobody has the VIP, monotonic. */
  freeSinceMs(vip: string): number {
    return this.#freeSince.get(vip) ?? this.#loadedAtMs ?? this.#options.clock.nowMs();
  }

  /** Other nodes than `self` that can serve the VIP, with the time since when they can. */
  servers(vip: string, self: string): ReadonlyMap<string, number> {
    const found = [...this.#nodes].map(([node, { serves }]) => [node, serves.get(vip)] as const);
    return new Map(found.filter((entry): entry is [string, number] => entry[0] !== self && entry[1] !== undefined));
  }

  /** Other nodes than `self` where clients at least get an answer. */
  answerers(vip: string, self: string): readonly string[] {
    return [...this.#nodes].filter(([node, { answers }]) => node !== self && answers.has(vip)).map(([node]) => node);
  }

  /** What this process has just written, ahead of the watch. */
  note(vip: string, record: OwnerRecord): void {
    if (record.modRevision > (this.#owners.get(vip)?.modRevision ?? 0)) this.#setOwner(vip, record);
  }

  async #follow(): Promise<void> {
    const { store, clock, onError } = this.#options;
    const { signal } = this.#stopped;
    let next: number | undefined;
    while (!signal.aborted) {
      try {
        next ??= await this.#load();
        for await (const batch of store.watch({ ...prefixRange(L2_PREFIX), fromRevision: next, signal })) {
          this.#takeIn(batch.events);
          next = batch.revision + 1;
        }
        if (!signal.aborted) await delay(clock, RETRY_MS, signal).catch(() => undefined);
      } catch (error) {
        if (signal.aborted || isStoreError(error, "CLOSED")) return;
        onError(error);
        if (isStoreError(error, "COMPACTED")) next = undefined;
        await delay(clock, RETRY_MS, signal).catch(() => undefined);
      }
    }
  }

  async #load(): Promise<number> {
    const { kvs, revision } = await this.#options.store.range(prefixRange(L2_PREFIX));
    const there = new Set(kvs.map(({ key }) => key));
    for (const vip of this.#owners.keys()) if (!kvs.some((kv) => vipOf(kv.key) === vip)) this.#free(vip);
    for (const node of this.#nodes.keys())
      if (![...there].some((key) => nodeOf(key) === node)) this.#nodes.delete(node);
    for (const kv of kvs) this.#read(kv);
    this.#loadedAtMs ??= this.#options.clock.nowMs();
    this.#options.onChange(undefined);
    return revision + 1;
  }

  /** All of a batch before anything is decided by it: a lease that ends takes owners and candidates at once. */
  #takeIn(events: readonly WatchEvent[]): void {
    const touched = events.flatMap(({ type, kv }) => (type === "put" ? this.#read(kv) : this.#forget(kv)));
    if (touched.length > 0) this.#options.onChange([...new Set(touched)]);
  }

  /** @returns the VIPs that are concerned. */
  #read(kv: KeyValue): readonly string[] {
    const vip = vipOf(kv.key);
    if (vip !== undefined) {
      if (kv.modRevision < (this.#owners.get(vip)?.modRevision ?? 0)) return [];
      const { node, released = false } = decodeJson(kv.value) as { node: string; released?: boolean };
      this.#setOwner(vip, { node, isReleased: released, lease: kv.lease, modRevision: kv.modRevision });
      return [vip];
    }
    const node = nodeOf(kv.key);
    return node === undefined ? [] : this.#setNode(node, decodeJson(kv.value) as NodeClaims);
  }

  #forget(kv: KeyValue): readonly string[] {
    const vip = vipOf(kv.key);
    if (vip !== undefined) {
      if (kv.modRevision < (this.#owners.get(vip)?.modRevision ?? 0)) return [];
      this.#free(vip);
      return [vip];
    }
    const node = nodeOf(kv.key);
    return node === undefined ? [] : this.#setNode(node, undefined);
  }

  #setOwner(vip: string, record: OwnerRecord): void {
    this.#owners.set(vip, record);
    if (record.isReleased) this.#freeSince.set(vip, this.#options.clock.nowMs());
    else this.#freeSince.delete(vip);
  }

  #free(vip: string): void {
    const wasFree = this.#owners.get(vip)?.isReleased !== false;
    this.#owners.delete(vip);
    if (!wasFree || !this.#freeSince.has(vip)) this.#freeSince.set(vip, this.#options.clock.nowMs());
  }

  #setNode(node: string, claims: NodeClaims | undefined): readonly string[] {
    const before = this.#nodes.get(node);
    const nowMs = this.#options.clock.nowMs();
    if (claims === undefined) this.#nodes.delete(node);
    else {
      const serves = new Map(claims.serves.map((vip) => [vip, before?.serves.get(vip) ?? nowMs]));
      this.#nodes.set(node, { serves, answers: new Set(claims.answers) });
    }
    const after = this.#nodes.get(node);
    const all = [before, after].flatMap((view) => [...(view?.serves.keys() ?? []), ...(view?.answers ?? [])]);
    return all.filter(
      (vip) =>
        before?.serves.has(vip) !== after?.serves.has(vip) || before?.answers.has(vip) !== after?.answers.has(vip),
    );
  }
}

const vipOf = (key: string): IpAddress | undefined => (key.startsWith(L2_OWNER_PREFIX) ? addressOfKey(key) : undefined);
const nodeOf = (key: string): string | undefined => (key.startsWith(L2_NODE_PREFIX) ? lastText(key) : undefined);
