import type { Cancel, Clock } from "./clock.ts";

/** What became of one run, for when the next one comes. */
export type RunResult =
  | { readonly kind: "done" }
  /** Nothing is wrong, but something is under way: look again soon. */
  | { readonly kind: "wait" }
  | { readonly kind: "failed" };

/** How a queue runs its keys. */
export interface WorkQueueOptions<Item> {
  readonly clock: Clock;
  /** From 0 up to 1. */
  readonly fraction: () => number;
  /** Keys worked on at once. */
  readonly concurrency: number;
  /** First and longest pause after failures in a row. */
  readonly retryMs: { readonly min: number; readonly max: number };
  readonly textOf: (item: Item) => string;
  /** Must not reject. */
  readonly run: (item: Item) => Promise<RunResult>;
}

interface Entry<Item> {
  readonly item: Item;
  state: "queued" | "running" | "resting";
  /** Asked for again while it was running. */
  isDirty: boolean;
  failures: number;
  waits: number;
  cancel: Cancel | undefined;
}

/** First and longest pause while something is under way. */
const WAIT_MS = { min: 100, max: 5000 };

/**
 * Keys to work on: each at most once at a time, a few at once, those that failed again after a pause that doubles. One that
 * fails holds up no other.
 */
export class WorkQueue<Item> {
  readonly #options: WorkQueueOptions<Item>;
  readonly #entries = new Map<string, Entry<Item>>();
  readonly #queued: Entry<Item>[] = [];
  readonly #running = new Set<Promise<void>>();
  #isStopped = false;
  #onIdle: (() => void)[] = [];

  constructor(options: WorkQueueOptions<Item>) {
    this.#options = options;
  }

  /** As soon as there is room, and at once even if it failed before: something has changed. */
  add(item: Item): void {
    if (this.#isStopped) return;
    const text = this.#options.textOf(item);
    const known = this.#entries.get(text);
    if (known?.state === "running") known.isDirty = true;
    if (known !== undefined && known.state !== "resting") return;
    const entry = known ?? newEntry(item);
    this.#entries.set(text, entry);
    this.#enqueue(entry);
  }

  /** The same, unless it rests after a failure: for those who only look whether something is to be done. */
  suggest(item: Item): void {
    const known = this.#entries.get(this.#options.textOf(item));
    if (known === undefined) this.add(item);
  }

  /** Ends the pauses of all that failed: what they failed for may be over. */
  retryAll(): void {
    for (const entry of this.#entries.values()) if (entry.state === "resting") this.#enqueue(entry);
  }

  /** Resolves when nothing is queued or running; what rests does not count. */
  idle(): Promise<void> {
    if (this.#running.size === 0 && this.#queued.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onIdle.push(resolve));
  }

  /** Takes no more, and resolves when what runs has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#queued.length = 0;
    for (const { cancel } of this.#entries.values()) cancel?.();
    this.#entries.clear();
    await Promise.all(this.#running);
  }

  #enqueue(entry: Entry<Item>): void {
    entry.cancel?.();
    entry.cancel = undefined;
    entry.state = "queued";
    this.#queued.push(entry);
    this.#pump();
  }

  #pump(): void {
    while (this.#running.size < this.#options.concurrency) {
      const entry = this.#queued.shift();
      if (entry === undefined) break;
      const run = this.#run(entry).finally(() => {
        this.#running.delete(run);
        this.#pump();
      });
      this.#running.add(run);
    }
    if (this.#running.size > 0 || this.#queued.length > 0) return;
    for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  async #run(entry: Entry<Item>): Promise<void> {
    entry.state = "running";
    entry.isDirty = false;
    const { kind } = await this.#options.run(entry.item);
    if (this.#isStopped) return;
    entry.failures = kind === "failed" ? entry.failures + 1 : 0;
    entry.waits = kind === "wait" ? entry.waits + 1 : 0;
    if (entry.isDirty) return this.#enqueue(entry);
    if (kind === "done") return void this.#entries.delete(this.#options.textOf(entry.item));
    entry.state = "resting";
    entry.cancel = this.#options.clock.after(this.#pauseMs(entry), () => this.#enqueue(entry));
  }

  /** Doubles with each time in a row; between half and all of it, so that many don't come back at once. */
  #pauseMs({ failures, waits }: Entry<Item>): number {
    const { min, max } = failures > 0 ? this.#options.retryMs : WAIT_MS;
    const longest = Math.min(max, min * 2 ** Math.min(failures + waits - 1, 30));
    return longest * (0.5 + this.#options.fraction() / 2);
  }
}

const newEntry = <Item>(item: Item): Entry<Item> => ({
  item,
  state: "queued",
  isDirty: false,
  failures: 0,
  waits: 0,
  cancel: undefined,
});
