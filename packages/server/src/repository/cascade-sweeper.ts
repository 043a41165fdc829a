import { isStoreError } from "@fiberlb/store";
import { labelOf } from "@fiberlb/types";

import { delay } from "../clock.ts";
import { pendingCascades, runCascade } from "./cascade.ts";
import type { CascadeRecord } from "./delete.ts";
import type { WriteContext } from "./write-context.ts";

const RETRY_MS = 1000;

/** Sees cascades through to their end, whatever happens in between. */
export class CascadeSweeper {
  readonly #context: WriteContext;
  readonly #onError: (error: unknown, what: string) => void;
  /** By the id of what is deleted. */
  readonly #running = new Map<string, Promise<void>>();
  readonly #stopped = new AbortController();

  constructor(context: WriteContext, onError: (error: unknown, what: string) => void) {
    this.#context = context;
    this.#onError = onError;
  }

  /** Goes on, in the background, with what a crash interrupted: here, or at a node that is no more. */
  async resume(): Promise<void> {
    for (const mark of await pendingCascades(this.#context)) this.#inBackground(mark, 0);
  }

  /** Rejects with the first failure, and tries again in the background. */
  async run(mark: CascadeRecord): Promise<void> {
    const { tenant, location } = mark;
    try {
      await runCascade(this.#context, { tenant, location });
    } catch (error) {
      this.#inBackground({ tenant, location }, RETRY_MS);
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await Promise.all(this.#running.values());
  }

  #inBackground(mark: CascadeRecord, delayMs: number): void {
    const { id } = mark.location;
    if (this.#stopped.signal.aborted || this.#running.has(id)) return;
    const run = this.#untilDone(mark, delayMs).finally(() => this.#running.delete(id));
    this.#running.set(id, run);
  }

  async #untilDone(mark: CascadeRecord, delayMs: number): Promise<void> {
    const { signal } = this.#stopped;
    const { kind, id } = mark.location;
    for (let waitMs = delayMs; !signal.aborted; waitMs = RETRY_MS) {
      try {
        if (waitMs > 0) await delay(this.#context.clock, waitMs, signal);
        return await runCascade(this.#context, mark);
      } catch (error) {
        if (signal.aborted || isStoreError(error, "CLOSED")) return;
        this.#onError(error, `deleting ${labelOf(kind)} ${id}`);
      }
    }
  }
}
