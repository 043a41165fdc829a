import { prefixRange, type Store } from "@fiberlb/store";
import { decodeEntity, type VipPool } from "@fiberlb/types";

import type { ChangeFeed } from "./change-feed.ts";
import { lastPart, VIP_POOL_PREFIX } from "./keys.ts";

/** The installation's VIP pools, kept in memory: which says how a VIP is announced. */
export class VipPoolView {
  readonly #pools = new Map<string, VipPool>();
  readonly #listeners = new Set<() => void>();

  constructor(store: Store, feed: ChangeFeed) {
    feed.subscribe({
      onReload: () => this.#reload(store),
      onChange: ({ type, kv }) => {
        if (!kv.key.startsWith(VIP_POOL_PREFIX)) return;
        if (type === "put") this.#pools.set(lastPart(kv.key), decodeEntity("vipPool", kv.value));
        else this.#pools.delete(lastPart(kv.key));
        this.#tell();
      },
    });
  }

  all(): Iterable<VipPool> {
    return this.#pools.values();
  }

  /** Undefined: there is none of that name, or that is not known. */
  find(name: string): VipPool | undefined {
    return [...this.#pools.values()].find((pool) => pool.name === name);
  }

  /** What stood when the store was read last: counts until it can be read again. */
  assume(pools: readonly VipPool[]): void {
    for (const pool of pools) this.#pools.set(pool.id, pool);
    this.#tell();
  }

  /** @returns the way to unsubscribe */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #reload(store: Store): Promise<void> {
    const { kvs } = await store.range(prefixRange(VIP_POOL_PREFIX));
    this.#pools.clear();
    for (const { key, value } of kvs) this.#pools.set(lastPart(key), decodeEntity("vipPool", value));
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
