import type { Clock } from "../clock.ts";
import type { Random } from "../random.ts";
import { closed } from "../refusals.ts";
import type { WatchBatch, WatchOptions } from "../store.ts";
import { Backoff } from "./backoff.ts";
import type { Cluster } from "./cluster.ts";
import type { Credentials } from "./credentials.ts";
import type { Endpoint } from "./endpoint.ts";
import { EtcdWatcher } from "./etcd-watcher.ts";
import { isTokenRefusal, NoAnswer, reason } from "./failure.ts";
import type { KeySpace } from "./key-space.ts";
import type { Revisions } from "./revisions.ts";
import { WatchRefused, WatchStream } from "./watch-stream.ts";

/** Why a stream was closed that nobody needs any more. */
const DONE = new Error("no watch is left");

/** How long a store that closes waits for the events of what it has written. */
const SETTLE_MS = 1000;
const ASK_MS = 20;

export interface WatchesOptions {
  readonly cluster: Cluster;
  readonly credentials: Credentials;
  readonly keys: KeySpace;
  readonly revisions: Revisions;
  readonly clock: Clock;
  readonly random: Random;
  /** A member said nothing for too long. */
  readonly onSilence: () => void;
}

/** All watches of a store, over one stream that moves to another member when its own is lost. */
export class Watches {
  readonly #options: WatchesOptions;
  readonly #watchers = new Set<EtcdWatcher>();
  readonly #stop = new AbortController();
  #stream: WatchStream | undefined;
  #running: Promise<void> | undefined;
  /** Called whenever the stream has brought something. */
  #onNews: () => void = () => {};

  constructor(options: WatchesOptions) {
    this.#options = options;
  }

  watch(options: WatchOptions): AsyncIterable<WatchBatch> {
    const { signal } = options;
    const stop = (): void => watcher.batches.end();
    const watcher = new EtcdWatcher({
      watch: options,
      newest: this.#options.revisions.newest,
      onWanting: (wanting) => this.#serve(wanting),
      onEnd: (ended) => {
        signal?.removeEventListener("abort", stop);
        this.#watchers.delete(ended);
        this.#drop(ended);
      },
    });
    this.#watchers.add(watcher);
    if (signal?.aborted === true) watcher.batches.end();
    else signal?.addEventListener("abort", stop, { once: true });
    if (watcher.wanting) this.#serve(watcher);
    return watcher.batches;
  }

  /** Ends all watches with an error that is made from the first revision each has not delivered. */
  fail(errorFor: (next: number) => Error): void {
    for (const watcher of this.#watchers) watcher.batches.end(errorFor(watcher.next ?? 0));
  }

  /** Delivers what the store has heard of, then ends all watches with `CLOSED`. */
  async close(): Promise<void> {
    await this.#settle(this.#options.revisions.newest);
    for (const watcher of this.#watchers) watcher.batches.end(closed());
    this.#stop.abort();
    this.#stream?.close(closed());
    await this.#running;
  }

  #serve(watcher: EtcdWatcher): void {
    this.#stream?.serve(watcher);
    this.#running ??= this.#run();
  }

  #drop(watcher: EtcdWatcher): void {
    this.#stream?.drop(watcher);
    if (this.#wanting().length === 0) this.#stream?.close(DONE);
  }

  /** Whom a stream has to serve. A range that holds no key needs none. */
  #wanting(): EtcdWatcher[] {
    return [...this.#watchers].filter(({ wanting, watch }) => wanting && this.#options.keys.range(watch) !== undefined);
  }

  async #run(): Promise<void> {
    const { cluster, clock, random } = this.#options;
    const backoff = new Backoff(clock, random);
    // A watch and what it is to see are often asked for in one go.
    await Promise.resolve();
    while (this.#wanting().length > 0 && !this.#stop.signal.aborted) {
      const { endpoint } = cluster;
      const end = await this.#converse(endpoint, () => backoff.reset());
      if (end === DONE || this.#stop.signal.aborted) continue;
      if (!this.#answered(end)) cluster.leave(endpoint, end);
      if (end instanceof NoAnswer) this.#options.onSilence();
      await backoff.wait(this.#stop.signal);
    }
    this.#running = undefined;
  }

  /** Serves all who want it on one stream. @returns what ended it */
  async #converse(endpoint: Endpoint, onAnswer: () => void): Promise<unknown> {
    const { keys, revisions, clock, credentials, cluster } = this.#options;
    let token: string | undefined;
    try {
      await endpoint.connect();
      await credentials.provide(endpoint);
      ({ token } = credentials);
      const stream = new WatchStream({ endpoint, keys, revisions, clock });
      this.#stream = stream;
      for (const watcher of this.#wanting()) stream.serve(watcher);
      await stream.run(() => {
        onAnswer();
        cluster.found(endpoint);
        this.#onNews();
        if (stream.idle) stream.close(DONE);
      });
      return DONE;
    } catch (error) {
      if (isTokenRefusal(reason(error))) credentials.refused(token);
      return error;
    } finally {
      this.#stream = undefined;
    }
  }

  /** Whether a stream's end was the member's considered answer; others would give the same. */
  #answered(end: unknown): boolean {
    if (isTokenRefusal(reason(end))) return true;
    if (!(end instanceof WatchRefused)) return false;
    end.watcher?.batches.end(end.asStoreError());
    return true;
  }

  /** Waits until every watch has what was committed up to a revision, or for {@link SETTLE_MS}. */
  async #settle(revision: number): Promise<void> {
    const behind = (): boolean => this.#wanting().some(({ next }) => next !== undefined && next <= revision);
    if (this.#stream === undefined || !behind()) return;
    const { clock } = this.#options;
    await new Promise<void>((resolve) => {
      const finish = (): void => {
        cancelEnd();
        cancelAsking();
        this.#onNews = () => {};
        resolve();
      };
      let cancelAsking = (): void => {};
      const ask = (): void => {
        this.#stream?.askProgress();
        cancelAsking = clock.after(ASK_MS, ask);
      };
      const cancelEnd = clock.after(SETTLE_MS, finish);
      this.#onNews = () => {
        if (!behind()) finish();
      };
      ask();
    });
  }
}
