/**
 * What a node does with its store before the API can serve: at the start, or, while the store is away and the node has
 * something to forward meanwhile, as soon as it is there.
 */
import { isStoreError } from "@fiberlb/store";

import { type Clock, delay } from "./clock.ts";
import type { LastApplied, SavedConfiguration } from "./last-applied/last-applied.ts";
import type { Log } from "./log.ts";

/** How {@link enterStore} goes about it. */
export interface EnterStoreOptions {
  /** May be called again after it failed. */
  readonly enter: () => Promise<void>;
  /**
   * What there is to forward while the store is away, which is then waited for in the background. Undefined: nothing, so
   * that a store that is away is an error. Default: nothing.
   */
  readonly lastApplied?: Pick<LastApplied, "load">;
  readonly clock: Clock;
  readonly log: Log;
}

/** A store that was entered, or is going to be. */
export interface StoreEntry {
  /** What to begin with; absent: the store was entered. */
  readonly meanwhile?: {
    readonly saved: SavedConfiguration;
    /** Resolves when the store was entered. */ readonly over: Promise<void>;
  };
  /** Waits no more. */
  stop(): Promise<void>;
}

const RETRY_MS = 1_000;

/** @throws what `enter` throws, unless the store is away and may be waited for */
export async function enterStore({ enter, lastApplied, clock, log }: EnterStoreOptions): Promise<StoreEntry> {
  try {
    await enter();
    return { stop: async () => undefined };
  } catch (error) {
    if (!isStoreError(error, "UNAVAILABLE")) throw error;
    const saved = await lastApplied?.load();
    if (saved === undefined) throw error;
    log.warn("the store cannot be reached: what was applied last is forwarded, and the API answers UNAVAILABLE", {
      reason: error.message,
      loadBalancers: saved.trees.length,
      savedAt: new Date(saved.savedAtMs).toISOString(),
    });
    const stopped = new AbortController();
    const over = Promise.withResolvers<void>();
    const waiting = keepTrying(enter, { clock, log, signal: stopped.signal, onEntered: over.resolve });
    return {
      meanwhile: { saved, over: over.promise },
      async stop() {
        stopped.abort();
        await waiting;
      },
    };
  }
}

interface Waiting {
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly onEntered: () => void;
}

async function keepTrying(enter: () => Promise<void>, { clock, log, signal, onEntered }: Waiting): Promise<void> {
  let told = "";
  while (!signal.aborted) {
    try {
      await delay(clock, RETRY_MS, signal);
      await enter();
      log.info("the store can be reached: the API serves");
      return onEntered();
    } catch (error) {
      if (signal.aborted || isStoreError(error, "CLOSED")) return;
      const { message } = error as Error;
      // That it is away has been told. Anything else is a reason that does not go away by itself.
      if (!isStoreError(error, "UNAVAILABLE") && message !== told)
        log.error("the store can be reached and cannot be used; forwarding goes on", { reason: message });
      told = message;
    }
  }
}
