import { describeError } from "@fiberlb/api";
import type { Deployment, Node, Pod, Service } from "@fiberlb/api/k8shost";
import type { Log } from "@fiberlb/k8shost-controller";
import { keyAfter, type KeyValue, type Store, type WatchBatch } from "@fiberlb/store";

import type { Clock } from "../clock.ts";
import { HOST_RANGE, parseKey } from "./keys.ts";
import { DEPLOYMENTS, type HostObject, type Kind, NODES, PODS, SERVICES } from "./kinds.ts";
import { decodeObject } from "./object-store.ts";

/** All objects of the host, by their keys. Treat them as read-only: they are shared. */
export interface View {
  readonly pods: ReadonlyMap<string, Pod>;
  readonly services: ReadonlyMap<string, Service>;
  readonly deployments: ReadonlyMap<string, Deployment>;
  readonly nodes: ReadonlyMap<string, Node>;
}

/** One object that is no longer as it was; one side is absent when it has come or gone. */
export interface Change {
  readonly plural: Kind<HostObject>["plural"];
  readonly before: HostObject | undefined;
  readonly after: HostObject | undefined;
}

/** Called after changes have become visible in the view. */
export type OnChanges = (changes: readonly Change[]) => void;

const KINDS: Readonly<Record<string, Kind<HostObject>>> = {
  pods: PODS,
  services: SERVICES,
  deployments: DEPLOYMENTS,
  nodes: NODES,
};
const CHUNK_KEYS = 500;
/** Pause before a watch that broke off is begun again. */
const RETRY_MS = 500;

/** What the loops of the host see: everything, a moment behind the store, kept up to date by one watch. */
export class ObjectCache {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #objects = {
    pods: new Map<string, Pod>(),
    services: new Map<string, Service>(),
    deployments: new Map<string, Deployment>(),
    nodes: new Map<string, Node>(),
  };
  readonly #ending = new AbortController();
  readonly #listeners = new Set<OnChanges>();
  readonly #waiting = new Set<{ readonly revision: number; readonly resolve: () => void }>();
  #revision = 0;
  #follows: Promise<void> | undefined;

  constructor(store: Store, { clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
  }

  get view(): View {
    return this.#objects;
  }

  /** Reads everything once, then follows. Rejects when the store cannot be read. */
  async start(): Promise<void> {
    await this.#load();
    this.#follows = this.#follow();
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    for (const { resolve } of this.#waiting) resolve();
    await this.#follows;
  }

  /** @returns what ends it */
  onChanges(listener: OnChanges): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves when the view has everything up to the revision, or when the cache is stopped. */
  reached(revision: number): Promise<void> {
    if (this.#revision >= revision || this.#ending.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const waiting = {
        revision,
        resolve: () => {
          this.#waiting.delete(waiting);
          resolve();
        },
      };
      this.#waiting.add(waiting);
    });
  }

  async #follow(): Promise<void> {
    const { signal } = this.#ending;
    let isLost = false;
    while (!signal.aborted) {
      try {
        if (isLost) await this.#load();
        isLost = true;
        const watch = { ...HOST_RANGE, fromRevision: this.#revision + 1, signal, progress: true };
        for await (const batch of this.#store.watch(watch)) this.#take(batch);
      } catch (error) {
        if (!signal.aborted)
          this.#log.warn("watch of the store failed; reading afresh", { error: describeError(error) });
      }
      if (!signal.aborted) await this.#pause();
    }
  }

  async #load(): Promise<void> {
    const found = new Map<string, KeyValue>();
    let start = HOST_RANGE.start;
    let revision: number | undefined;
    for (;;) {
      const at = revision === undefined ? {} : { revision };
      const {
        kvs,
        more,
        revision: now,
      } = await this.#store.range({
        start,
        end: HOST_RANGE.end,
        limit: CHUNK_KEYS,
        ...at,
      });
      revision ??= now;
      for (const kv of kvs) found.set(kv.key, kv);
      const last = kvs.at(-1);
      if (!more || last === undefined) break;
      start = keyAfter(last.key);
    }
    const changes: (Change | undefined)[] = [];
    for (const objects of Object.values(this.#objects)) {
      for (const key of objects.keys()) if (!found.has(key)) changes.push(this.#set(key, undefined));
    }
    for (const [key, kv] of found) changes.push(this.#set(key, kv));
    this.#advance(revision, changes);
  }

  #take({ revision, events }: WatchBatch): void {
    const changes = events.map(({ type, kv }) => this.#set(kv.key, type === "put" ? kv : undefined));
    this.#advance(revision, changes);
  }

  #set(key: string, kv: KeyValue | undefined): Change | undefined {
    const { plural = "" } = parseKey(key) ?? {};
    const kind = KINDS[plural];
    if (kind === undefined) return undefined;
    const objects = this.#objects[kind.plural] as Map<string, HostObject>;
    const before = objects.get(key);
    if (kv === undefined) objects.delete(key);
    else if (before?.metadata?.resourceVersion === BigInt(kv.modRevision)) return undefined;
    else objects.set(key, decodeObject(kind, kv));
    return { plural: kind.plural, before, after: objects.get(key) };
  }

  #advance(revision: number, all: readonly (Change | undefined)[]): void {
    this.#revision = Math.max(this.#revision, revision);
    for (const waiting of this.#waiting) if (waiting.revision <= revision) waiting.resolve();
    const changes = all.filter((change) => change !== undefined);
    if (changes.length > 0) for (const listener of this.#listeners) listener(changes);
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        cancel();
        this.#ending.signal.removeEventListener("abort", done);
        resolve();
      };
      const cancel = this.#clock.after(RETRY_MS, done);
      this.#ending.signal.addEventListener("abort", done, { once: true });
    });
  }
}
