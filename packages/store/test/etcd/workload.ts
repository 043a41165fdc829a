import { isStoreError, put, read, type Store, unchanged } from "../../src/index.ts";
import { bytes, text } from "../contract/fixture.ts";
import type { Operation } from "./linearizability.ts";

type Asked =
  | { readonly type: "write"; readonly calledAt: number; readonly value: string }
  | { readonly type: "swap"; readonly calledAt: number; readonly from: string | undefined; readonly value: string };

/** What became of a value that a client has tried to write. */
export type Fate = "acknowledged" | "refused" | "unsent" | "unknown";

/** Clients that read, write and swap a few keys at once, and remember everything they did and were told. */
export class Workload {
  readonly histories = new Map<string, Operation[]>();
  readonly fates = new Map<string, Fate>();
  readonly failures: string[] = [];
  readonly #stores: readonly Store[];
  readonly #keys: readonly string[];
  readonly #clients: Promise<void>[] = [];
  #acknowledged = 0;
  #lastAcknowledgedAt = performance.now();
  #longestGapMs = 0;
  #waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  #failureWaiting: (() => void)[] = [];
  #stopping = false;

  constructor(stores: readonly Store[], keys: readonly string[]) {
    this.#stores = stores;
    this.#keys = keys;
    for (const key of keys) this.histories.set(key, []);
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  start(): void {
    this.#clients.push(...this.#stores.map((store, client) => this.#run(store, client)));
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#clients);
  }

  /** Resolves when so many more writes were acknowledged. */
  untilAcknowledged(more: number): Promise<void> {
    const count = this.#acknowledged + more;
    return new Promise((resolve) => this.#waiting.push({ count, resolve }));
  }

  /** Resolves when a call fails. */
  untilFailure(): Promise<void> {
    return new Promise((resolve) => this.#failureWaiting.push(resolve));
  }

  /** The longest time without an acknowledged write since this was last asked. */
  takeLongestGapMs(): number {
    const gapMs = this.#longestGapMs;
    this.#longestGapMs = 0;
    return Math.round(gapMs);
  }

  async #run(store: Store, client: number): Promise<void> {
    for (let count = 0; !this.#stopping; count++) {
      const key = this.#keys[(client + count) % this.#keys.length]!;
      const value = `${client}.${count}`;
      if (count % 3 === 0) await this.#write(store, key, value);
      else await this.#swap(store, key, value);
    }
  }

  async #write(store: Store, key: string, value: string): Promise<void> {
    const calledAt = performance.now();
    const fate = await this.#attempt(value, async () => {
      await store.txn({ success: [put(key, bytes(value))] });
      return "acknowledged";
    });
    this.#remember(key, fate, { type: "write", calledAt, value });
  }

  async #swap(store: Store, key: string, value: string): Promise<void> {
    const readAt = performance.now();
    const found = await store.get(key).catch((error: unknown) => this.#failed(error));
    if (found === undefined) return;
    const from = text(found.kv);
    this.#add(key, { type: "read", calledAt: readAt, answeredAt: performance.now(), value: from });
    const calledAt = performance.now();
    let instead: string | undefined;
    const fate = await this.#attempt(value, async () => {
      const { succeeded, results } = await store.txn({
        compare: [unchanged(key, found.kv?.modRevision ?? 0)],
        success: [put(key, bytes(value))],
        failure: [read(key)],
      });
      if (succeeded) return "acknowledged";
      instead = results[0]?.type === "get" ? text(results[0].kv) : undefined;
      return "refused";
    });
    if (fate === "refused")
      this.#add(key, { type: "refused", calledAt, answeredAt: performance.now(), from, found: instead });
    else this.#remember(key, fate, { type: "swap", calledAt, from, value });
  }

  async #attempt(value: string, write: () => Promise<Fate>): Promise<Fate> {
    const fate = await write().catch((error: unknown) => {
      this.#failed(error);
      return /may or may not/.test(String(error)) ? ("unknown" as const) : ("unsent" as const);
    });
    this.fates.set(value, fate);
    if (fate === "acknowledged") this.#countAcknowledged();
    return fate;
  }

  #remember(key: string, fate: Fate, one: Asked): void {
    if (fate === "unsent") return;
    const answeredAt = fate === "unknown" ? Number.POSITIVE_INFINITY : performance.now();
    this.#add(key, { ...one, answeredAt });
  }

  #add(key: string, one: Operation): void {
    this.histories.get(key)!.push(one);
  }

  /** @throws what is no consequence of a fault */
  #failed(error: unknown): undefined {
    if (!isStoreError(error, "UNAVAILABLE")) throw error;
    this.failures.push(error.message);
    for (const resolve of this.#failureWaiting.splice(0)) resolve();
  }

  #countAcknowledged(): void {
    this.#acknowledged++;
    const now = performance.now();
    this.#longestGapMs = Math.max(this.#longestGapMs, now - this.#lastAcknowledgedAt);
    this.#lastAcknowledgedAt = now;
    this.#waiting = this.#waiting.filter(({ count, resolve }) => {
      if (this.#acknowledged >= count) resolve();
      return this.#acknowledged < count;
    });
  }
}
