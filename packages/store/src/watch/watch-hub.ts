import type { StoreError } from "../errors.ts";
import type { Commit } from "../mvcc/tables.ts";
import type { WatchBatch, WatchOptions } from "../store.ts";
import { type ReadHistory, Watcher } from "./watcher.ts";

/** Hands commits to watchers, in the order of their revisions. */
export class WatchHub {
  readonly #watchers = new Set<Watcher>();
  readonly #readHistory: ReadHistory;
  #revision: number;
  #failure: StoreError | undefined;

  constructor(options: { revision: number; readHistory: ReadHistory }) {
    this.#revision = options.revision;
    this.#readHistory = options.readHistory;
  }

  publish(commit: Commit): void {
    this.#revision = commit.revision;
    for (const watcher of this.#watchers) watcher.offer(commit);
  }

  watch(options: WatchOptions): AsyncIterable<WatchBatch> {
    const { signal } = options;
    const stop = (): void => watcher.end();
    const watcher = new Watcher({
      watch: options,
      revision: () => this.#revision,
      readHistory: this.#readHistory,
      onEnd: (ended) => {
        this.#watchers.delete(ended);
        signal?.removeEventListener("abort", stop);
      },
    });
    this.#watchers.add(watcher);
    if (signal?.aborted === true) watcher.end();
    else signal?.addEventListener("abort", stop, { once: true });
    if (this.#failure) watcher.end(this.#failure);
    return watcher;
  }

  /** Ends every watch, also later ones, with `failure`, after what is buffered for it. */
  close(failure: StoreError): void {
    this.#failure ??= failure;
    for (const watcher of this.#watchers) watcher.end(failure);
  }
}
