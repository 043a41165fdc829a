import { Code, ConnectError } from "@connectrpc/connect";
import { describeError } from "@fiberlb/api";
import { WatchEventType } from "@fiberlb/api/k8shost";

import { type Cancel, type Clock, delay } from "../clock.ts";
import type { Log } from "../log.ts";
import { keyText, type ObjectKey } from "../objects.ts";

/** What a watch of k8shost says. */
export interface WatchEvent<Message> {
  readonly type: WatchEventType;
  /** Absent with BOOKMARK. */
  readonly object: Message | undefined;
  readonly resourceVersion: bigint;
}

/** What is mirrored, and how. */
export interface MirrorOptions<Message, Item> {
  /** For logs: `Pods`. */
  readonly what: string;
  readonly watch: (resourceVersion: bigint, signal: AbortSignal) => AsyncIterable<WatchEvent<Message>>;
  readonly toItem: (message: Message) => Item;
  readonly keyOf: (item: Item) => ObjectKey;
  /** Of the object's last change. */
  readonly versionOf: (message: Message) => bigint;
  /** An object is no longer as it was; one side is absent when it has come or gone. */
  readonly onChange: (before: Item | undefined, after: Item | undefined) => void;
  readonly clock: Clock;
  readonly log: Log;
}

interface Entry<Item> {
  readonly item: Item;
  readonly resourceVersion: bigint;
}

/** k8shost sends a bookmark at least every 10 s: one that is silent for so long is dead. */
const SILENCE_MS = 30_000;
/** Pause before a watch that failed is begun again. */
const RETRY_MS = { min: 100, max: 5000 };

/**
 * All objects of one kind, kept up to date by a watch that goes on from where it broke off, or from everything there is when
 * that is too long ago.
 */
export class Mirror<Message, Item> {
  readonly #options: MirrorOptions<Message, Item>;
  readonly #entries = new Map<string, Entry<Item>>();
  readonly #synced = Promise.withResolvers<void>();
  #isSynced = false;
  #resourceVersion = 0n;
  /** Keys that the listing at the start of a watch has named; undefined when none is under way. */
  #listed: Set<string> | undefined;

  constructor(options: MirrorOptions<Message, Item>) {
    this.#options = options;
  }

  /** Resolves when everything has been seen once. */
  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  get isSynced(): boolean {
    return this.#isSynced;
  }

  get(key: ObjectKey): Item | undefined {
    return this.#entries.get(keyText(key))?.item;
  }

  values(): readonly Item[] {
    return Array.from(this.#entries.values(), ({ item }) => item);
  }

  /** What a write was answered with need not wait for the watch; but one that the watch has seen go stays gone. */
  put(message: Message): void {
    const item = this.#options.toItem(message);
    if (this.#entries.has(keyText(this.#options.keyOf(item)))) this.#set(item, this.#options.versionOf(message));
  }

  /** Follows until the signal aborts; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, what } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      try {
        await this.#follow(signal, () => (failures = 0));
        failures += 1;
      } catch (error) {
        failures += 1;
        if (error instanceof ConnectError && error.code === Code.OutOfRange) this.#resourceVersion = 0n;
        if (!signal.aborted)
          log.warn(`watch of ${what} broke off; beginning it again`, { error: describeError(error) });
      }
      await delay(clock, Math.min(RETRY_MS.max, RETRY_MS.min * 2 ** Math.min(failures, 10)), signal);
    }
  }

  async #follow(signal: AbortSignal, onEvent: () => void): Promise<void> {
    const { clock, watch } = this.#options;
    const silence = new AbortController();
    let cancel: Cancel = () => undefined;
    const listen = (): void => {
      cancel();
      cancel = clock.after(SILENCE_MS, () => silence.abort(new Error(`nothing was heard for ${SILENCE_MS / 1000} s`)));
    };
    this.#listed = this.#resourceVersion === 0n ? new Set() : undefined;
    listen();
    try {
      for await (const event of watch(this.#resourceVersion, AbortSignal.any([signal, silence.signal]))) {
        listen();
        onEvent();
        this.#take(event);
      }
    } finally {
      cancel();
    }
  }

  #take({ type, object, resourceVersion }: WatchEvent<Message>): void {
    if (type === WatchEventType.BOOKMARK) this.#endListing();
    else if (object !== undefined) this.#takeObject(type, object);
    // A listing that breaks off has to begin again.
    if (this.#listed === undefined) this.#resourceVersion = resourceVersion;
  }

  #takeObject(type: WatchEventType, object: Message): void {
    const item = this.#options.toItem(object);
    this.#listed?.add(keyText(this.#options.keyOf(item)));
    if (type === WatchEventType.DELETED) this.#remove(keyText(this.#options.keyOf(item)));
    else this.#set(item, this.#options.versionOf(object));
  }

  /** What a whole listing did not name has gone while nobody watched. */
  #endListing(): void {
    const listed = this.#listed;
    this.#listed = undefined;
    if (listed === undefined) return;
    for (const text of this.#entries.keys()) if (!listed.has(text)) this.#remove(text);
    this.#isSynced = true;
    this.#synced.resolve();
  }

  #set(item: Item, resourceVersion: bigint): void {
    const text = keyText(this.#options.keyOf(item));
    const before = this.#entries.get(text);
    if (before !== undefined && before.resourceVersion >= resourceVersion) return;
    this.#entries.set(text, { item, resourceVersion });
    this.#options.onChange(before?.item, item);
  }

  #remove(text: string): void {
    const before = this.#entries.get(text);
    if (!this.#entries.delete(text)) return;
    this.#options.onChange(before?.item, undefined);
  }
}
