/**
 * What a guard does: as long as the other process lives, nothing but listening. When it has died without a goodbye, it
 * withdraws its routes: at once those that led to it, and a while later those that led to the kernel.
 */
import type { Route, Speaker } from "@fiberlb/bgp-speaker";

import { type Cancel, type Clock, delay } from "../../clock.ts";
import type { Log } from "../../log.ts";
import type { GuardedRoute } from "../bgp/route-set.ts";
import type { GuardOrders, ToGuard } from "./messages.ts";

/** How {@link GuardDuty} works. */
export interface GuardDutyOptions {
  /** Reaches the daemon, and touches nothing of it until it is told to announce. */
  readonly createSpeaker: (orders: GuardOrders) => Speaker;
  /** Called once, when it could act at once, or is as ready as it can be. */
  readonly onReady: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** A daemon that is away for so long has lost its routes anyway. */
const GIVE_UP_MS = 10_000;
const RETRY_MS = 250;

export class GuardDuty {
  /** Resolves when there is nothing left to do. */
  readonly over: Promise<void>;
  readonly #options: GuardDutyOptions;
  readonly #end: () => void;
  #orders: GuardOrders | undefined;
  #routes: readonly GuardedRoute[] = [];
  #speaker: Speaker | undefined;
  #isReleased = false;
  #isOrphaned = false;
  #wait: Cancel | undefined;
  /** What is being withdrawn. */
  #working: Promise<void> = Promise.resolve();

  constructor(options: GuardDutyOptions) {
    this.#options = options;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.over = promise;
    this.#end = resolve;
  }

  hear(message: ToGuard): void {
    if (message.kind === "orders") this.#take(message);
    else if (message.kind === "routes") this.#routes = message.routes;
    else this.#isReleased = true;
  }

  /** The pipe has ended. */
  orphaned(): void {
    if (this.#isOrphaned) return;
    this.#isOrphaned = true;
    if (this.#isReleased || this.#orders === undefined || this.#routes.length === 0) {
      void this.#finish();
      return;
    }
    this.#speaker = this.#options.createSpeaker(this.#orders);
    this.#working = this.#withdraw(this.#orders);
  }

  /** Another process goes on with these routes. Resolves when this guard touches them no more. */
  async relieve(): Promise<void> {
    // The end of the one that was watched may not have been noticed yet.
    this.#isReleased = true;
    if (!this.#isOrphaned) return;
    await this.#working;
    this.#wait?.();
    await this.#finish();
  }

  /**
   * Reaches the daemon once beforehand, so that all code for it is loaded and has run, and a mistake in the orders shows. What
   * it found then would be stale when it has come to acting.
   */
  #take(orders: GuardOrders): void {
    const isFirst = this.#orders === undefined;
    this.#orders = orders;
    if (!isFirst) return;
    const rehearsal = this.#options.createSpeaker(orders);
    const end = rehearsal.onStatus(({ daemon }) => {
      if (daemon.state !== "ready" && daemon.reason === "") return;
      end();
      void rehearsal.close();
      this.#options.onReady();
    });
  }

  async #withdraw({ orphanTimeoutMs, socketPath }: GuardOrders): Promise<void> {
    const { clock, log } = this.#options;
    const startedMs = clock.nowMs();
    const kept = socketPath === undefined ? [] : this.#routes.filter(({ kernelOnly }) => kernelOnly);
    const isDone = await this.#announce(kept.map(withoutMark));
    const withdrawn = this.#routes.length - kept.length;
    const ms = Math.round(clock.nowMs() - startedMs);
    if (isDone)
      log.warn("the node's process is gone: its VIPs are withdrawn", { routes: withdrawn, kept: kept.length, ms });
    if (kept.length === 0) {
      await this.#finish();
      return;
    }
    this.#wait = clock.after(orphanTimeoutMs, () => {
      this.#working = this.#withdrawRest(kept.length);
    });
  }

  async #withdrawRest(routes: number): Promise<void> {
    if (await this.#announce([]))
      this.#options.log.warn("nobody watches the backends any more: VIPs of the kernel are withdrawn", { routes });
    await this.#finish();
  }

  /** Whether the daemon has heard. */
  async #announce(routes: readonly Route[]): Promise<boolean> {
    const { clock, log } = this.#options;
    const deadlineMs = clock.nowMs() + GIVE_UP_MS;
    for (;;) {
      try {
        await (this.#speaker as Speaker).announce(routes);
        return true;
      } catch (error) {
        if (clock.nowMs() < deadlineMs) await delay(clock, RETRY_MS);
        else {
          log.error("VIPs of a node whose process is gone could not be withdrawn", {
            reason: (error as Error).message,
          });
          return false;
        }
      }
    }
  }

  async #finish(): Promise<void> {
    await this.#speaker?.close();
    this.#end();
  }
}

function withoutMark(guarded: GuardedRoute): Route {
  const { kernelOnly: _, ...route } = guarded;
  return route;
}
