import { isStoreError, type KeyValue, type Op, prefixRange, put, remove, type Store } from "@fiberlb/store";

import type { Cancel, Clock } from "../clock.ts";
import type { ChangeFeed } from "./change-feed.ts";
import { decodeJson, encodeJson } from "./codec.ts";
import type { Election } from "./election.ts";
import { DNS_PREFIX, dnsKey, lastText } from "./keys.ts";

/** What a DNS name of a backend stands for, for all nodes alike. */
export interface DnsRecord {
  /** The last that is known; absent while there was no answer. */
  readonly address?: string;
  /** Why there is no answer, or why the last look-up failed. */
  readonly problem?: string;
}

/** What the store says of the DNS names of backends, kept in memory. */
export class DnsView {
  readonly #store: Store;
  readonly #records = new Map<string, DnsRecord>();
  readonly #listeners = new Set<(name: string) => void>();

  constructor(store: Store, feed: ChangeFeed) {
    this.#store = store;
    feed.subscribe({
      onReload: () => this.#reload(),
      onChange: ({ type, kv }) => {
        if (kv.key.startsWith(DNS_PREFIX)) this.#note(kv, type === "put");
      },
    });
  }

  /** Undefined when nobody has looked it up. */
  get(name: string): DnsRecord | undefined {
    return this.#records.get(name);
  }

  /** Names with a record. */
  get names(): ReadonlySet<string> {
    return new Set(this.#records.keys());
  }

  /** @returns the way to unsubscribe */
  onChange(listener: (name: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #reload(): Promise<void> {
    const { kvs } = await this.#store.range(prefixRange(DNS_PREFIX));
    const found = new Set(kvs.map(({ key }) => lastText(key)));
    for (const name of this.names.difference(found)) this.#records.delete(name);
    for (const kv of kvs) this.#note(kv, true);
  }

  #note({ key, value }: KeyValue, isThere: boolean): void {
    const name = lastText(key);
    if (isThere) this.#records.set(name, decodeJson(value) as DnsRecord);
    else this.#records.delete(name);
    for (const listener of this.#listeners) listener(name);
  }
}

/** How {@link DnsWriter} writes. */
export interface DnsWriterOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly election: Pick<Election, "guard">;
  /** A write failed; it is tried again while this node is elected. Not called twice in a row for the same reason. */
  readonly onError: (error: unknown) => void;
}

const RETRY_MS = 1_000;
const RECORDS_PER_WRITE = 100;

/** Writes what the elected node found out. What it has not written when it is elected no more, it forgets. */
export class DnsWriter {
  readonly #options: DnsWriterOptions;
  /** Undefined: to be removed. */
  readonly #waiting = new Map<string, DnsRecord | undefined>();
  #isWriting = false;
  #cancelRetry: Cancel | undefined;
  #lastFailure = "";

  constructor(options: DnsWriterOptions) {
    this.#options = options;
  }

  set(name: string, record: DnsRecord): void {
    this.#waiting.set(name, record);
    void this.#write();
  }

  remove(name: string): void {
    this.#waiting.set(name, undefined);
    void this.#write();
  }

  /** Writes nothing more. */
  clear(): void {
    this.#waiting.clear();
    this.#cancelRetry?.();
  }

  async #write(): Promise<void> {
    if (this.#isWriting) return;
    this.#isWriting = true;
    this.#cancelRetry?.();
    try {
      while (this.#waiting.size > 0) await this.#writeSome();
      this.#lastFailure = "";
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#isWriting = false;
    }
  }

  async #writeSome(): Promise<void> {
    const { guard } = this.#options.election;
    if (guard === undefined) return this.#waiting.clear();
    const some = [...this.#waiting].slice(0, RECORDS_PER_WRITE);
    const success = some.map(([name, record]): Op =>
      record === undefined ? remove(dnsKey(name)) : put(dnsKey(name), encodeJson(record)),
    );
    const { succeeded } = await this.#options.store.txn({ compare: [guard], success });
    if (!succeeded) return this.#waiting.clear();
    for (const [name, record] of some) if (this.#waiting.get(name) === record) this.#waiting.delete(name);
  }

  #failed(error: unknown): void {
    if (isStoreError(error, "CLOSED")) return;
    const failure = String(error);
    if (failure !== this.#lastFailure) this.#options.onError(error);
    this.#lastFailure = failure;
    this.#cancelRetry = this.#options.clock.after(RETRY_MS, () => void this.#write());
  }
}
