import { compacted } from "../refusals.ts";
import type { WatchBatch, WatchOptions } from "../store.ts";
import { BatchQueue } from "../watch/batch-queue.ts";

export interface EtcdWatcherOptions {
  readonly watch: WatchOptions;
  /** The newest revision that this client has heard of; 0 when it has heard of none. */
  readonly newest: number;
  /** The watcher has room again and wants to be served. */
  readonly onWanting: (watcher: EtcdWatcher) => void;
  readonly onEnd: (watcher: EtcdWatcher) => void;
}

/**
 * One consumer of a watch, whatever stream serves it at the moment. It is paused when its consumer is so slow that the
 * buffer is full: etcd then sends it nothing, and the rest is asked for again from the history.
 */
export class EtcdWatcher {
  readonly watch: WatchOptions;
  readonly batches: BatchQueue;
  /** The first revision that is neither delivered nor buffered; undefined while nobody knows what "now" is. */
  #next: number | undefined;
  /** With `progress`: the first revision that the consumer may hear of without an event. */
  readonly #progressFrom: number;
  #told = 0;
  #caughtUp = false;
  #paused = false;
  #began = false;

  constructor({ watch, newest, onWanting, onEnd }: EtcdWatcherOptions) {
    this.watch = watch;
    this.#next = watch.fromRevision ?? (newest > 0 ? newest + 1 : undefined);
    // A watch that waits for a revision to come is not told that those before it have passed.
    const waits = watch.fromRevision !== undefined && watch.fromRevision > newest + 1;
    this.#progressFrom = waits ? watch.fromRevision : (this.#next ?? 1) - 1;
    this.batches = new BatchQueue({
      refill: () => {
        if (this.#paused) {
          this.#paused = false;
          onWanting(this);
        }
        return undefined;
      },
      onEnd: () => onEnd(this),
    });
  }

  get next(): number | undefined {
    return this.#next;
  }

  /** Whether it should be served: not ended, and with room. */
  get wanting(): boolean {
    return !this.#paused && !this.batches.ended;
  }

  /** Whether its consumer waits to be told that it has caught up. */
  get impatient(): boolean {
    return this.watch.progress === true && !this.#caughtUp && this.wanting;
  }

  /** A stream serves it now, from `revision` on where it had no beginning yet. */
  started(revision: number): void {
    this.#next ??= revision + 1;
  }

  /** One whole transaction. */
  take(batch: WatchBatch): void {
    if (this.#next !== undefined && batch.revision < this.#next) return;
    if (this.batches.full) {
      this.#paused = true;
      return;
    }
    this.batches.push(batch);
    this.#passed(batch.revision);
    this.#told = batch.revision;
  }

  /** Nothing else has happened in its range up to `revision`. */
  progress(revision: number): void {
    if (this.#next === undefined || revision < this.#next - 1) return;
    this.#passed(revision);
    if (this.watch.progress !== true || revision < this.#progressFrom) return;
    // The first one tells that it has caught up; others only what the consumer does not know yet.
    if (this.#caughtUp && (revision === this.#told || !this.batches.empty)) return;
    this.#caughtUp = true;
    this.#told = revision;
    this.batches.push({ revision, events: [] });
  }

  /** The history that it needs is gone. Where it has none to claim, as it began "now", it begins again. */
  compacted(compactRevision: number): void {
    if (this.watch.fromRevision === undefined && !this.#began) this.#next = compactRevision + 1;
    else this.batches.end(compacted(this.#next ?? 0, compactRevision));
  }

  #passed(revision: number): void {
    this.#next = revision + 1;
    this.#began = true;
  }
}
