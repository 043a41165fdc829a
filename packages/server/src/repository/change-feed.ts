import { isStoreError, prefixRange, type Store, type WatchEvent } from "@fiberlb/store";

import { type Clock, delay } from "../clock.ts";
import { ROOT } from "./keys.ts";

/** One key that changed. */
export type KeyChange = WatchEvent;

/** Someone who follows the store. */
export interface FeedSubscriber {
  readonly onChange: (change: KeyChange) => void;
  /** History was lost (compaction, a store that was away): what was derived from it has to be read afresh. */
  readonly onReload?: () => Promise<void>;
}

export interface FeedOptions {
  readonly clock: Clock;
  /** The watch broke; it is begun again after `RETRY_MS`. Not called twice in a row for the same reason. */
  readonly onError: (error: unknown) => void;
}

const RETRY_MS = 1000;

/** One watch of the store for everybody in the process who follows it. */
export class ChangeFeed {
  readonly #store: Store;
  readonly #options: FeedOptions;
  readonly #subscribers = new Set<FeedSubscriber>();
  readonly #stopped = new AbortController();
  #running: Promise<void> | undefined;
  #lastFailure = "";

  constructor(store: Store, options: FeedOptions) {
    this.#store = store;
    this.#options = options;
  }

  /** @returns the way to unsubscribe. */
  subscribe(subscriber: FeedSubscriber): () => void {
    this.#subscribers.add(subscriber);
    return () => this.#subscribers.delete(subscriber);
  }

  /** Loads every subscriber, then follows. Does nothing once it does. @throws StoreError when the first load fails. */
  async start(): Promise<void> {
    if (this.#running !== undefined) return;
    const revision = await this.#load();
    this.#running = this.#follow(revision + 1);
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  async #load(): Promise<number> {
    const { revision } = await this.#store.status();
    for (const { onReload } of this.#subscribers) await onReload?.();
    return revision;
  }

  async #follow(fromRevision: number): Promise<void> {
    const { signal } = this.#stopped;
    let next = fromRevision;
    while (!signal.aborted) {
      try {
        for await (const batch of this.#store.watch({ ...prefixRange(`${ROOT}/`), fromRevision: next, signal })) {
          this.#lastFailure = "";
          for (const event of batch.events) this.#publish(event);
          next = batch.revision + 1;
        }
        if (!signal.aborted) return;
      } catch (error) {
        if (signal.aborted || isStoreError(error, "CLOSED")) return;
        this.#failed(error);
        next = await this.#recover(next, error);
      }
    }
  }

  async #recover(next: number, error: unknown): Promise<number> {
    const { signal } = this.#stopped;
    for (;;) {
      try {
        if (isStoreError(error, "COMPACTED")) return (await this.#load()) + 1;
        await delay(this.#options.clock, RETRY_MS, signal);
        return next;
      } catch (again) {
        if (signal.aborted || isStoreError(again, "CLOSED")) return next;
        this.#failed(again);
        await delay(this.#options.clock, RETRY_MS, signal).catch(() => undefined);
      }
    }
  }

  #publish(event: KeyChange): void {
    for (const { onChange } of this.#subscribers) onChange(event);
  }

  #failed(error: unknown): void {
    const failure = String(error);
    if (failure !== this.#lastFailure) this.#options.onError(error);
    this.#lastFailure = failure;
  }
}
