import { prefixRange, type Store, type WatchEvent } from "@fiberlb/store";

import type { ChangeFeed } from "./change-feed.ts";
import { decodeJson } from "./codec.ts";
import { ANNOUNCE_PREFIX, BGP_PREFIX } from "./keys.ts";

/** What a node says of one VIP that is announced by BGP. */
export interface AnnounceRecord {
  readonly node: string;
  readonly vip: string;
  readonly loadBalancerId: string;
  /** Clients that come here are served. */
  readonly canServe: boolean;
  /** They get an answer at least. */
  readonly canAnswer: boolean;
  readonly announced: boolean;
  /** When it stopped to be able to serve, milliseconds since 1970 by its own clock; absent: it can, or never could. */
  readonly servedUntilMs?: number;
  /** Why it is not announced, or is although it can't be served. */
  readonly reason: string;
  /** What is announced: the VIP with /32 or /128, or the aggregate that it is in. */
  readonly prefix: string;
  readonly nextHop?: string;
  readonly communities?: readonly string[];
}

/** A node's session with a router. */
export interface SessionRecord {
  readonly peer: string;
  readonly peerAsn: number;
  /** Names of RFC 4271. */
  readonly state: string;
  /** ISO 8601. */
  readonly establishedAt?: string;
  readonly routesAdvertised: number;
  /** What is wrong with it; empty when nothing is. */
  readonly problem: string;
}

/** What a node says of its BGP daemon. */
export interface BgpRecord {
  readonly node: string;
  readonly localAsn: number;
  /** Why the daemon cannot be used; empty when it can. */
  readonly problem: string;
  readonly sessions: readonly SessionRecord[];
}

/** Keys below a prefix with JSON values, kept in memory. */
class RecordMap<T> {
  readonly #records = new Map<string, T>();
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** In the order of their keys. */
  get all(): readonly T[] {
    const sorted = [...this.#records].toSorted(([a], [b]) => (a < b ? -1 : 1));
    return sorted.map(([, record]) => record);
  }

  /** @returns the records as they were and are; undefined when the key is none of these */
  note({ type, kv }: WatchEvent): { readonly before: T | undefined; readonly after: T | undefined } | undefined {
    if (!kv.key.startsWith(this.#prefix)) return undefined;
    const before = this.#records.get(kv.key);
    if (type !== "put") {
      this.#records.delete(kv.key);
      return { before, after: undefined };
    }
    const after = decodeJson(kv.value) as T;
    this.#records.set(kv.key, after);
    return { before, after };
  }

  async reload(store: Store): Promise<void> {
    const { kvs } = await store.range(prefixRange(this.#prefix));
    this.#records.clear();
    for (const { key, value } of kvs) this.#records.set(key, decodeJson(value) as T);
  }
}

/** What all live nodes say of the VIPs that they announce and of their routers, kept in memory. */
export class AnnounceView {
  readonly #vips = new RecordMap<AnnounceRecord>(ANNOUNCE_PREFIX);
  readonly #daemons = new RecordMap<BgpRecord>(BGP_PREFIX);
  readonly #byVip = new Map<string, Map<string, AnnounceRecord>>();
  readonly #listeners = new Set<(vips: readonly string[]) => void>();
  #isLoaded = false;

  constructor(store: Store, feed: ChangeFeed) {
    feed.subscribe({
      onReload: () => this.#reload(store),
      onChange: (event) => this.#note(event),
    });
  }

  /** Whether it was ever learnt what the nodes say. What was learnt counts until something newer is. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** By VIP and node. */
  get records(): readonly AnnounceRecord[] {
    return this.#vips.all;
  }

  /** By node. */
  get daemons(): readonly BgpRecord[] {
    return this.#daemons.all;
  }

  /** What nodes other than `node` say of a VIP. */
  others(vip: string, node: string): readonly AnnounceRecord[] {
    return [...(this.#byVip.get(vip)?.values() ?? [])].filter((record) => record.node !== node);
  }

  /** Calls `listener` with the VIPs of which something else is said. @returns the way to unsubscribe */
  onChange(listener: (vips: readonly string[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #note(event: WatchEvent): void {
    const change = this.#vips.note(event);
    if (change === undefined) {
      this.#daemons.note(event);
      return;
    }
    const { before, after } = change;
    if (before !== undefined) this.#byVip.get(before.vip)?.delete(before.node);
    if (after !== undefined) this.#index(after);
    const vip = (after ?? before)?.vip;
    if (vip === undefined) return;
    if (this.#byVip.get(vip)?.size === 0) this.#byVip.delete(vip);
    for (const listener of this.#listeners) listener([vip]);
  }

  async #reload(store: Store): Promise<void> {
    await Promise.all([this.#vips.reload(store), this.#daemons.reload(store)]);
    const before = [...this.#byVip.keys()];
    this.#byVip.clear();
    for (const record of this.#vips.all) this.#index(record);
    this.#isLoaded = true;
    const vips = [...new Set([...before, ...this.#byVip.keys()])];
    for (const listener of this.#listeners) listener(vips);
  }

  #index(record: AnnounceRecord): void {
    const known = this.#byVip.get(record.vip);
    if (known !== undefined) known.set(record.node, record);
    else this.#byVip.set(record.vip, new Map([[record.node, record]]));
  }
}
