import type { WatchBatch, WatchEvent } from "../store.ts";

/** What a watch may hold for a consumer that is slow. */
const BUFFERED_BATCHES = 1024;
const BUFFERED_BYTES = 4 * 1_048_576;

export interface BatchQueueOptions {
  /** Called when the consumer has taken everything: a promise to wait for, or undefined when batches will be pushed. */
  readonly refill: () => Promise<void> | undefined;
  /** Called once, when the iteration is to end: by the consumer, by a failure or by the owner. */
  readonly onEnd: () => void;
}

/** Batches between a store and one consumer: bounded, in order, with an end that may be a failure. */
export class BatchQueue implements AsyncIterableIterator<WatchBatch, undefined, undefined> {
  /** About how much a piece of the history may hold that is read for a queue. */
  static readonly pageBytes = BUFFERED_BYTES;

  readonly #options: BatchQueueOptions;
  #buffer: WatchBatch[] = [];
  #bufferedBytes = 0;
  #ended = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;
  /** Calls of next() answer one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: BatchQueueOptions) {
    this.#options = options;
  }

  get ended(): boolean {
    return this.#ended;
  }

  get empty(): boolean {
    return this.#buffer.length === 0;
  }

  /** Whether the consumer is so far behind that nothing more should be pushed. */
  get full(): boolean {
    return this.#buffer.length >= BUFFERED_BATCHES || this.#bufferedBytes >= BUFFERED_BYTES;
  }

  push(batch: WatchBatch): void {
    this.#buffer.push(batch);
    this.#bufferedBytes += bytesOf(batch.events);
    this.#notify();
  }

  /** Finishes the iteration: at once, or with `failure` after what is buffered. */
  end(failure?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    if (failure === undefined) this.#buffer = [];
    this.#options.onEnd();
    this.#notify();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<WatchBatch, undefined>> {
    const step = this.#turn.then(() => this.#step());
    this.#turn = step.catch(() => undefined);
    return step;
  }

  return(): Promise<IteratorResult<WatchBatch, undefined>> {
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  async #step(): Promise<IteratorResult<WatchBatch, undefined>> {
    for (;;) {
      const batch = this.#buffer.shift();
      if (batch) {
        this.#bufferedBytes -= bytesOf(batch.events);
        return { done: false, value: batch };
      }
      if (this.#ended) return this.#finish();
      await (this.#options.refill() ?? new Promise<void>((resolve) => (this.#wake = resolve)));
    }
  }

  #finish(): IteratorResult<WatchBatch, undefined> {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure) throw failure;
    return { done: true, value: undefined };
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}

function bytesOf(events: readonly WatchEvent[]): number {
  let bytes = 0;
  for (const { kv } of events) bytes += kv.key.length + kv.value.length;
  return bytes;
}
