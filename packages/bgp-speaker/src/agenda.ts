import type { Cancel, Clock } from "./clock.ts";

interface Waiting<Task> {
  readonly resolve: (tasks: ReadonlySet<Task>) => void;
  readonly cancel: Cancel;
}

/** Tasks that fall due: each once, at the earliest of the times asked for. */
export class Agenda<Task extends string> {
  readonly #clock: Clock;
  readonly #dueAtMs = new Map<Task, number>();
  #waiting: Waiting<Task> | undefined;
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Has the task done within this time, or earlier when that was asked for before. */
  request(task: Task, withinMs: number): void {
    const atMs = this.#clock.now() + withinMs;
    if (atMs >= (this.#dueAtMs.get(task) ?? Infinity)) return;
    this.#dueAtMs.set(task, atMs);
    if (this.#waiting !== undefined) this.#arm(this.#waiting);
  }

  /** Waits for tasks that are due and takes them off; never ends after {@link close}. */
  next(): Promise<ReadonlySet<Task>> {
    return new Promise((resolve) => this.#arm({ resolve, cancel: () => undefined }));
  }

  /** Nothing falls due any more. */
  close(): void {
    this.#closed = true;
    this.#waiting?.cancel();
  }

  #arm({ resolve, cancel }: Waiting<Task>): void {
    cancel();
    if (this.#closed) return;
    const soonestMs = Math.min(...this.#dueAtMs.values());
    this.#waiting = { resolve, cancel: () => undefined };
    if (soonestMs === Infinity) return;
    const delayMs = Math.max(0, soonestMs - this.#clock.now());
    this.#waiting = { resolve, cancel: this.#clock.after(delayMs, () => this.#fire(resolve)) };
  }

  #fire(resolve: (tasks: ReadonlySet<Task>) => void): void {
    this.#waiting = undefined;
    const nowMs = this.#clock.now();
    // Timers may be early by less than a millisecond: what woke us is due.
    const soonestMs = Math.max(nowMs, Math.min(...this.#dueAtMs.values()));
    const due = new Set([...this.#dueAtMs].filter(([, atMs]) => atMs <= soonestMs).map(([task]) => task));
    for (const task of due) this.#dueAtMs.delete(task);
    resolve(due);
  }
}
