import { describeError } from "@fiberlb/api";
import type { Log } from "@fiberlb/k8shost-controller";

import type { Cancel, Clock } from "../clock.ts";
import type { Change, ObjectCache } from "../objects/cache.ts";

/** One thing that the host keeps true. */
export interface LoopOptions {
  /** For the log: `scheduler`. */
  readonly name: string;
  readonly cache: ObjectCache;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether a change may be of interest. */
  readonly concerns: (change: Change) => boolean;
  /** Looks at everything and does what is due. Answers in how many milliseconds something falls due by itself, if so. */
  readonly run: () => Promise<number | undefined>;
}

/** Pause after a run that failed. */
const RETRY_MS = 1000;
/** Looks again although nothing changed, in case that something was overlooked. */
const RESYNC_MS = 30_000;

/**
 * Runs when something changed, when something falls due, and now and then; one run at a time. What comes while it runs is looked
 * at in the next run.
 */
export class Loop {
  readonly #options: LoopOptions;
  #forget: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #isDue = false;
  #isStopped = true;
  #cancel: Cancel = () => undefined;

  constructor(options: LoopOptions) {
    this.#options = options;
  }

  start(): void {
    if (!this.#isStopped) return;
    this.#isStopped = false;
    const { cache, concerns } = this.#options;
    this.#forget = cache.onChanges((changes) => {
      if (changes.some(concerns)) this.#trigger();
    });
    this.#trigger();
  }

  /** Resolves when the run that is under way has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#forget?.();
    this.#cancel();
    await this.#running;
  }

  #trigger(): void {
    this.#isDue = true;
    this.#running ??= this.#runWhileDue().finally(() => {
      this.#running = undefined;
    });
  }

  async #runWhileDue(): Promise<void> {
    while (this.#isDue && !this.#isStopped) {
      this.#isDue = false;
      this.#cancel();
      const nextMs = await this.#runOnce();
      if (!this.#isStopped) this.#cancel = this.#options.clock.after(nextMs, () => this.#trigger());
    }
  }

  async #runOnce(): Promise<number> {
    try {
      const dueMs = await this.#options.run();
      return Math.min(Math.max(0, dueMs ?? RESYNC_MS), RESYNC_MS);
    } catch (error) {
      this.#options.log.warn(`${this.#options.name} failed; trying again`, { error: describeError(error) });
      return RETRY_MS;
    }
  }
}
