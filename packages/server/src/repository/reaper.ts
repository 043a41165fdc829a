import { prefixRange } from "@fiberlb/store";

import type { Cancel } from "../clock.ts";
import type { ChangeFeed, KeyChange } from "./change-feed.ts";
import { decodeJson } from "./codec.ts";
import type { RegisteredRecord } from "./hooks-registration.ts";
import { lastPart, REGISTERED_PREFIX, registeredKey, REGISTRATION_PREFIX, registrationKey } from "./keys.ts";
import { drainExpired, removeDrained } from "./registrations.ts";
import type { WriteContext } from "./write-context.ts";

export interface ReaperOptions {
  readonly context: WriteContext;
  readonly feed: ChangeFeed;
  /** A step failed; it is tried again after `RETRY_MS`. */
  readonly onError: (error: unknown, backendId: string) => void;
  /** Whether a backend has no connection left, as far as this process knows of all of them. */
  readonly isIdle: (backendId: string) => boolean;
}

const RETRY_MS = 1000;
/** How soon the end of a draining backend's last connection is noticed. */
const IDLE_CHECK_MS = 250;

/**
 * Takes registered backends out whose programs no longer renew: drained as soon as the registration has run out, removed
 * when their connections have ended, after the pool's drain timeout at the latest. Works from the store alone, so that any node can finish what another began.
 */
export class Reaper {
  readonly #options: ReaperOptions;
  readonly #timers = new Map<string, Cancel>();
  readonly #running = new Map<string, Promise<void>>();
  #stopped = false;

  constructor(options: ReaperOptions) {
    this.#options = options;
    options.feed.subscribe({ onChange: (change) => this.#notice(change), onReload: () => this.#scan() });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
    await Promise.all(this.#running.values());
  }

  /** Registrations may have run out while nobody looked. */
  async #scan(): Promise<void> {
    const { store } = this.#options.context;
    const { kvs } = await store.range({ ...prefixRange(REGISTERED_PREFIX), keysOnly: true });
    for (const { key } of kvs) this.#begin(lastPart(key));
  }

  #notice({ type, kv }: KeyChange): void {
    if (!kv.key.startsWith(REGISTRATION_PREFIX)) return;
    const backendId = lastPart(kv.key);
    this.#timers.get(backendId)?.();
    this.#timers.delete(backendId);
    if (type === "delete") this.#begin(backendId);
  }

  #begin(backendId: string): void {
    if (this.#stopped) return;
    const step = (this.#running.get(backendId) ?? Promise.resolve())
      .then(() => this.#reap(backendId))
      .catch((error: unknown) => {
        this.#options.onError(error, backendId);
        this.#later(backendId, RETRY_MS);
      })
      .finally(() => {
        if (this.#running.get(backendId) === step) this.#running.delete(backendId);
      });
    this.#running.set(backendId, step);
  }

  #later(backendId: string, delayMs: number): void {
    if (this.#stopped) return;
    this.#timers.get(backendId)?.();
    this.#timers.set(
      backendId,
      this.#options.context.clock.after(delayMs, () => {
        this.#timers.delete(backendId);
        this.#begin(backendId);
      }),
    );
  }

  /** Level-triggered: looks at what stands and does the next step. */
  async #reap(backendId: string): Promise<void> {
    if (this.#stopped) return;
    const { context } = this.#options;
    const [registered, registration] = await context.reader.values([
      registeredKey(backendId),
      registrationKey(backendId),
    ]);
    if (registered === undefined || registration !== undefined) return;
    const { tenant, location } = decodeJson(registered.value) as RegisteredRecord;
    await drainExpired(context, tenant, location);
    const leftMs = await this.#drainLeftMs({ tenant, location });
    if (leftMs === undefined) return;
    if (leftMs > 0 && !this.#options.isIdle(backendId)) this.#later(backendId, Math.min(leftMs, IDLE_CHECK_MS));
    else await removeDrained(context, tenant, location);
  }

  /** Until the backend's connections had their time; undefined when it is not draining. */
  async #drainLeftMs({ tenant, location }: RegisteredRecord): Promise<number | undefined> {
    const { reader, clock } = this.#options.context;
    const backend = await reader.at<"backend">(tenant, location);
    if (backend?.entity.drainingSince === undefined) return undefined;
    const pool = await reader.find(tenant, "pool", location.parentId);
    const drainMs = (pool?.entity.drainTimeoutS ?? 0) * 1000;
    return Date.parse(backend.entity.drainingSince) + drainMs - clock.epochMs();
  }
}
