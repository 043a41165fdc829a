import { inRange, type KeyRange } from "../keys.ts";
import type { Change, Commit, HistoryPage, HistoryQuery } from "../mvcc/tables.ts";
import type { WatchBatch, WatchEvent, WatchOptions } from "../store.ts";
import { BatchQueue } from "./batch-queue.ts";

/** With `progress`: at the latest after so many revisions without an event. */
const PROGRESS_REVISIONS = 1000;

/** Reads a piece of the history; rejects with `COMPACTED`. */
export type ReadHistory = (query: HistoryQuery) => Promise<HistoryPage>;

export interface WatcherOptions {
  readonly watch: WatchOptions;
  /** The newest committed revision. */
  readonly revision: () => number;
  readonly readHistory: ReadHistory;
  readonly onEnd: (watcher: Watcher) => void;
}

/**
 * One consumer of commits. It is live while its buffer has room: commits are appended as they happen. When the buffer
 * is full, or when it starts in the past, it reads on from the history until it has caught up.
 */
export class Watcher implements AsyncIterableIterator<WatchBatch, undefined, undefined> {
  readonly #options: WatcherOptions;
  readonly #range: KeyRange;
  readonly #queue: BatchQueue;
  /** The first revision that is neither delivered nor buffered. */
  #next: number;
  /** The last revision that the consumer was told about. */
  #told: number;
  #live: boolean;

  constructor(options: WatcherOptions) {
    const { watch } = options;
    this.#options = options;
    this.#range = { start: watch.start, end: watch.end };
    this.#queue = new BatchQueue({
      refill: () => (this.#live ? undefined : this.#catchUp()),
      onEnd: () => options.onEnd(this),
    });
    this.#next = watch.fromRevision ?? options.revision() + 1;
    this.#told = this.#next - 1;
    this.#live = this.#next > options.revision() && watch.progress !== true;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<WatchBatch, undefined>> {
    return this.#queue.next();
  }

  return(): Promise<IteratorResult<WatchBatch, undefined>> {
    return this.#queue.return();
  }

  /** Finishes the iteration: at once, or with `failure` after what is buffered. */
  end(failure?: Error): void {
    this.#queue.end(failure);
  }

  /** Takes a commit as it happens. */
  offer(commit: Commit): void {
    if (!this.#live || commit.revision < this.#next) return;
    const changes = commit.changes.filter(({ kv }) => inRange(kv.key, this.#range));
    const quiet = changes.length === 0;
    if (quiet && !(this.#options.watch.progress === true && commit.revision - this.#told >= PROGRESS_REVISIONS)) {
      this.#next = commit.revision + 1;
      return;
    }
    if (this.#queue.full) {
      this.#live = false;
      return;
    }
    this.#append({ revision: commit.revision, changes });
  }

  /** Buffers the next page of the history, and goes live when it was the last one. */
  async #catchUp(): Promise<void> {
    // A watch may begin in the future: there is no history to read yet.
    if (this.#next <= this.#options.revision()) {
      try {
        const page = await this.#options.readHistory({
          range: this.#range,
          fromRevision: this.#next,
          maxBytes: BatchQueue.pageBytes,
          prevKv: this.#options.watch.prevKv === true,
        });
        if (this.#queue.ended) return;
        for (const commit of page.commits) this.#append(commit);
        this.#next = page.through + 1;
      } catch (error) {
        this.end(error as Error);
        return;
      }
    }
    // No await from here on: a commit cannot slip in between the comparison and the change.
    if (this.#next <= this.#options.revision()) return;
    this.#live = true;
    const caughtUp = this.#next === this.#options.revision() + 1;
    if (caughtUp && this.#options.watch.progress === true) this.#append({ revision: this.#next - 1, changes: [] });
  }

  #append(commit: Commit): void {
    const events = commit.changes.map((change) => toEvent(change, this.#options.watch.prevKv === true));
    this.#queue.push({ revision: commit.revision, events });
    this.#next = commit.revision + 1;
    this.#told = commit.revision;
  }
}

function toEvent({ type, kv, previous }: Change, prevKv: boolean): WatchEvent {
  return prevKv && previous ? { type, kv, prevKv: previous } : { type, kv };
}
