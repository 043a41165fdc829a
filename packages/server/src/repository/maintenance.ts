import { type KeyValue, prefixRange, put, remove, type Store } from "@fiberlb/store";

import type { Clock } from "../clock.ts";
import type { ChangeFeed } from "./change-feed.ts";
import { decodeJson, encodeJson } from "./codec.ts";
import { DRAIN_PREFIX, drainKey, lastText } from "./keys.ts";

/** That a node is to be out of service. */
export interface DrainOrder {
  /** ISO 8601. */
  readonly since: string;
}

/** Which nodes an operator wants out of service. It stands in the store until it is taken back, whatever becomes of the node. */
export class Maintenance {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #orders = new Map<string, DrainOrder>();
  readonly #listeners = new Set<() => void>();

  constructor(store: Store, { feed, clock }: { readonly feed: ChangeFeed; readonly clock: Clock }) {
    this.#store = store;
    this.#clock = clock;
    feed.subscribe({
      onReload: () => this.#reload(),
      onChange: ({ type, kv }) => {
        if (!kv.key.startsWith(DRAIN_PREFIX)) return;
        this.#note(kv, type === "put");
        this.#tell();
      },
    });
  }

  /** Undefined: the node is to serve. */
  orderFor(node: string): DrainOrder | undefined {
    return this.#orders.get(node);
  }

  /** What stood when the store was read last: counts until it can be read again. */
  assume(node: string, order: DrainOrder): void {
    this.#orders.set(node, order);
  }

  /** Calls `listener` when an order was given or taken back. @returns the way to unsubscribe */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Orders a node out of service; an order that stands is left as it is. */
  async drain(node: string): Promise<void> {
    const key = drainKey(node);
    const order: DrainOrder = { since: new Date(this.#clock.epochMs()).toISOString() };
    await this.#store.txn({
      compare: [{ key, target: "createRevision", is: "=", to: 0 }],
      success: [put(key, encodeJson(order))],
    });
  }

  /** Takes the order back. @returns whether there was one */
  async undrain(node: string): Promise<boolean> {
    const { results } = await this.#store.txn({ success: [remove(drainKey(node))] });
    const [result] = results;
    return result?.type === "delete" && result.deleted > 0;
  }

  async #reload(): Promise<void> {
    const { kvs } = await this.#store.range(prefixRange(DRAIN_PREFIX));
    this.#orders.clear();
    for (const kv of kvs) this.#note(kv, true);
    this.#tell();
  }

  #note({ key, value }: KeyValue, isThere: boolean): void {
    if (isThere) this.#orders.set(lastText(key), decodeJson(value) as DrainOrder);
    else this.#orders.delete(lastText(key));
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
