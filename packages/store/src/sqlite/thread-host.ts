import { Worker } from "node:worker_threads";

import { StoreError } from "../errors.ts";
import type { CallName, Calls } from "../mvcc/calls.ts";
import type { TableHost, TableHostOwner } from "../table-store.ts";
import { unpackRange } from "./packed-range.ts";
import { type Answer, fromFailure, type FromThread, type Job, type ThreadData, type ToThread } from "./protocol.ts";

/** From the sources the thread is TypeScript as well; Node strips its types. */
const THREAD_URL = import.meta.url.endsWith(".ts")
  ? new URL("./thread.ts", import.meta.url)
  : new URL("./thread.js", import.meta.url);

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: StoreError) => void;
}

export type Opened = Extract<FromThread, { type: "opened" }>;

/** Starts the thread; rejects when it cannot open the file. */
export async function startThread(path: string): Promise<{ worker: Worker; opened: Opened }> {
  const data: ThreadData = { path };
  // Without the process's own options: --input-type, for one, would keep the thread from starting.
  const worker = new Worker(THREAD_URL, { workerData: data, name: "fiberlb-store", execArgv: [] });
  const first = await new Promise<FromThread>((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", (error) =>
      reject(new StoreError("UNAVAILABLE", `Cannot start store thread: ${String(error)}`)),
    );
  });
  if (first.type === "opened") return { worker, opened: first };
  await worker.terminate();
  throw first.type === "refused"
    ? fromFailure(first.failure)
    : new StoreError("UNAVAILABLE", "Store thread out of step");
}

/** The tables in the other thread. Calls of one tick travel together. */
export class ThreadHost implements TableHost {
  readonly #worker: Worker;
  readonly #path: string;
  readonly #owner: TableHostOwner;
  readonly #waiting = new Map<number, Waiting>();
  readonly #exited: Promise<void>;
  #outbox: Job[] = [];
  #lastId = 0;
  #closing = false;
  #failure: StoreError | undefined;

  constructor(options: { worker: Worker; path: string; owner: TableHostOwner }) {
    this.#worker = options.worker;
    this.#path = options.path;
    this.#owner = options.owner;
    this.#exited = new Promise((resolve) => {
      this.#worker.once("exit", () => {
        if (!this.#closing) this.#lose("it ended");
        resolve();
      });
    });
    this.#worker.on("message", (message: FromThread) => this.#receive(message));
    this.#worker.on("error", (error) => this.#lose(String(error)));
    // An idle store does not keep the process alive, a call under way does.
    this.#worker.unref();
  }

  call<K extends CallName>(name: K, args: Calls[K]["args"]): Promise<Calls[K]["result"]> {
    return this.#await((id) => {
      if (this.#outbox.length === 0) queueMicrotask(() => this.#flush());
      this.#outbox.push({ id, name, args } as unknown as Job);
    });
  }

  backup(path: string): Promise<void> {
    return this.#await((id) => this.#send({ type: "backup", id, path }));
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#flush();
    this.#worker.ref();
    if (this.#failure === undefined) this.#send({ type: "close" });
    await this.#exited;
  }

  #await<T>(start: (id: number) => void): Promise<T> {
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise<T>((resolve, reject) => {
      const id = ++this.#lastId;
      if (this.#waiting.size === 0) this.#worker.ref();
      this.#waiting.set(id, { resolve: resolve as (result: unknown) => void, reject });
      start(id);
    });
  }

  #flush(): void {
    if (this.#outbox.length > 0) this.#send({ type: "jobs", jobs: this.#outbox });
    this.#outbox = [];
  }

  #send(message: ToThread): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin, windows do
    this.#worker.postMessage(message);
  }

  #receive(message: FromThread): void {
    if (message.type !== "answers") return;
    for (const commit of message.commits) this.#owner.publish(commit);
    for (const answer of message.answers) this.#settle(answer);
    if (this.#waiting.size === 0 && !this.#closing) this.#worker.unref();
  }

  #settle(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if ("failure" in answer) waiting?.reject(fromFailure(answer.failure));
    else waiting?.resolve("range" in answer ? unpackRange(answer.range) : answer.result);
  }

  /** Without its thread the store is over; what was under way may or may not have happened. */
  #lose(reason: string): void {
    if (this.#failure) return;
    const message = `The thread of store file ${this.#path} failed (${reason}); restart to open the file again`;
    this.#failure = new StoreError("UNAVAILABLE", message);
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
    this.#waiting.clear();
    this.#owner.fail(this.#failure);
  }
}
