import { Worker } from "node:worker_threads";

import type { Cancel, Clock } from "../clock.ts";
import type { DrainOptions } from "./data-plane.ts";
import type { ConnectFailure } from "./l7/connect-failures.ts";
import type { BindFailure, FromWorker, ToWorker, WorkerStart } from "./worker-protocol.ts";

/** First wait before a worker that died right after its start is started again; doubles from time to time. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;
/** A worker that ran for so long is started again at once. */
const STABLE_AFTER_MS = 10_000;

/** Starts a worker thread. */
export type SpawnWorker = (start: WorkerStart) => Worker;

/** Starts `worker.ts`: from source through Node's type stripping, from a build as JavaScript. */
export const spawnWorker: SpawnWorker = (start) => {
  const fromSource = import.meta.url.endsWith(".ts");
  const entry = fromSource ? new URL("./worker.ts", import.meta.url) : new URL("./worker.js", import.meta.url);
  const execArgv = ["--disable-warning=ExperimentalWarning"];
  // Of this repository's packages the sources run too, whatever flags this process was started with.
  if (fromSource) execArgv.push("--conditions=@fiberlb/source");
  return new Worker(entry, { name: `fiberlb data ${start.index}`, workerData: start, execArgv });
};

/** What a {@link WorkerHandle} tells and needs. */
export interface WorkerHandleOptions {
  readonly clock: Clock;
  readonly spawn: SpawnWorker;
  /** For a worker that starts: what it needs, with the memory as it is now. */
  readonly start: () => WorkerStart;
  /** It runs and has nothing to serve yet. Called at every start, also in place of one that died. */
  readonly onReady: () => void;
  /** It died without being told to. Another one starts after `pauseMs`. */
  readonly onLost: (reason: string, pauseMs: number) => void;
  /** It has applied everything up to the message of that number; `failures` are all its listeners that aren't open. */
  readonly onApplied: (sequence: number, failures: readonly BindFailure[]) => void;
  /** One of its listeners can't accept. */
  readonly onAcceptFailed: (failure: BindFailure) => void;
  /** A backend could not be connected to. */
  readonly onConnectFailed?: (failure: ConnectFailure) => void;
  /** A backend has failed as often in a row as its pool allows. */
  readonly onOutlier?: (poolId: string, backendId: string) => void;
}

interface Pending {
  readonly sequence: number;
  readonly resolve: () => void;
}

/** One place for a worker thread: keeps it filled, passes messages and waits for answers. */
export class WorkerHandle {
  readonly #options: WorkerHandleOptions;
  #worker: Worker | undefined;
  #isReady = false;
  #isStopping = false;
  #pending: Pending[] = [];
  #startedAtMs = 0;
  #nextPauseMs = 0;
  #cancelRestart: Cancel | undefined;
  #firstStart: { readonly resolve: () => void; readonly reject: (reason: Error) => void } | undefined;
  #onStopped: () => void = () => undefined;

  constructor(options: WorkerHandleOptions) {
    this.#options = options;
  }

  /** Whether a worker runs. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Starts the first worker. @throws Error when it dies before it runs. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#firstStart = { resolve, reject };
      this.#spawn();
    });
  }

  /** Tells the worker. While there is none nothing is kept: one that starts is given everything in `onReady`. */
  post(message: ToWorker): void {
    if (this.#isReady) this.#worker?.postMessage(message);
  }

  /** Resolves when the worker, or the one that replaces it, has applied the message of that number or a later one. */
  applied(sequence: number): Promise<void> {
    return new Promise((resolve) => this.#pending.push({ sequence, resolve }));
  }

  /** Lets connections finish for so long, then ends the thread. Waits no longer than `deadlineMs` for its answer. */
  async stop(drain: DrainOptions, deadlineMs: number): Promise<void> {
    this.#isStopping = true;
    this.#cancelRestart?.();
    if (this.#isReady) {
      await new Promise<void>((resolve) => {
        const cancel = this.#options.clock.after(deadlineMs, resolve);
        this.#onStopped = () => {
          cancel();
          resolve();
        };
        this.post({ kind: "stop", drain });
      });
    }
    await this.#worker?.terminate();
  }

  #spawn(): void {
    const { clock, spawn, start } = this.#options;
    this.#startedAtMs = clock.nowMs();
    const worker = spawn(start());
    let reason = "";
    worker.on("message", (message: FromWorker) => this.#hear(message));
    worker.on("error", (error) => (reason = error instanceof Error ? (error.stack ?? error.message) : String(error)));
    worker.on("exit", (code) => this.#lose(reason === "" ? `exit code ${code}` : reason));
    this.#worker = worker;
  }

  #hear(message: FromWorker): void {
    switch (message.kind) {
      case "ready":
        this.#isReady = true;
        this.#options.onReady();
        this.#firstStart?.resolve();
        this.#firstStart = undefined;
        break;
      case "applied":
        // First what it said, then those who wait for it to be said.
        this.#options.onApplied(message.sequence, message.failures);
        this.#settle(message.sequence);
        break;
      case "accept-failed":
        this.#options.onAcceptFailed(message.failure);
        break;
      case "connect-failed":
        this.#options.onConnectFailed?.(message.failure);
        break;
      case "outlier":
        this.#options.onOutlier?.(message.poolId, message.backendId);
        break;
      case "stopped":
        this.#onStopped();
        break;
    }
  }

  #settle(sequence: number): void {
    const done = this.#pending.filter((pending) => pending.sequence <= sequence);
    this.#pending = this.#pending.filter((pending) => pending.sequence > sequence);
    for (const { resolve } of done) resolve();
  }

  #lose(reason: string): void {
    this.#worker = undefined;
    this.#isReady = false;
    this.#onStopped();
    if (this.#isStopping) return;
    if (this.#firstStart !== undefined) {
      this.#firstStart.reject(new Error(`Cannot start a data plane worker: ${reason}`));
      return;
    }
    const pauseMs = this.#pause();
    this.#options.onLost(reason, pauseMs);
    if (pauseMs === 0) this.#spawn();
    else this.#cancelRestart = this.#options.clock.after(pauseMs, () => this.#spawn());
  }

  /** None after a long life; longer and longer while workers keep dying young. */
  #pause(): number {
    const { clock } = this.#options;
    const wasStable = clock.nowMs() - this.#startedAtMs >= STABLE_AFTER_MS;
    const pauseMs = wasStable ? 0 : this.#nextPauseMs;
    this.#nextPauseMs = wasStable ? 0 : Math.min(Math.max(pauseMs * 2, FIRST_PAUSE_MS), LONGEST_PAUSE_MS);
    return pauseMs;
  }
}
