import { type Compare, isStoreError, put, type Store } from "@fiberlb/store";

import type { Cancel, Clock } from "../clock.ts";
import { encodeJson } from "./codec.ts";
import type { ElectedView } from "./elected-view.ts";
import { ELECTED_KEY } from "./keys.ts";
import type { NodeLease } from "./node-lease.ts";

/** How a node takes part in an {@link Election}. */
export interface ElectionOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly view: ElectedView;
  /** Of this node: it is elected for as long as this lives. */
  readonly lease: Pick<NodeLease, "acquire" | "endsAtMs">;
  readonly name: string;
  /** Standing for election failed, and is tried again. Not called twice in a row for the same reason. */
  readonly onError: (error: unknown) => void;
}

/** The elected node stops acting so long before its lease ends by its own clock, whatever the store says later. */
const MARGIN_MS = 2_000;
const RETRY_MS = 1_000;

/**
 * Makes one of the nodes act for all of them, where a decision has to be the same everywhere. It is elected by writing a
 * key that is not there, under its lease, and stays so until that lease ends. What it writes carries {@link guard}, so that
 * a node that was elected once and does not know better changes nothing.
 */
export class Election {
  readonly #options: ElectionOptions;
  readonly #listeners = new Set<() => void>();
  readonly #forgetView: () => void;
  /** Create revision of our key; 0: it is another node's, or nobody's. */
  #revision = 0;
  /** The last one that we wrote. */
  #wonRevision = 0;
  #wasElected = false;
  #isStanding = false;
  #cancelRetry: Cancel | undefined;
  #cancelEnd: Cancel | undefined;
  #lastFailure = "";
  #stopped = false;

  /** Stands for election from the start. */
  constructor(options: ElectionOptions) {
    this.#options = options;
    this.#forgetView = options.view.onChange(() => this.#follow());
    this.#follow();
  }

  /** Whether this node acts for all now. */
  get isElected(): boolean {
    return this.#revision > 0 && this.#options.clock.nowMs() < this.#options.lease.endsAtMs - MARGIN_MS;
  }

  /** A condition for everything that the elected node writes; undefined when it is not this one. */
  get guard(): Compare | undefined {
    if (!this.isElected) return undefined;
    return { key: ELECTED_KEY, target: "createRevision", is: "=", to: this.#revision };
  }

  /** Calls `listener` when this node was elected, and when it is no more. @returns the way to unsubscribe */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Acts no more; the key goes with the lease. */
  stop(): void {
    this.#stopped = true;
    this.#forgetView();
    this.#cancelRetry?.();
    this.#revision = 0;
    this.#tell();
  }

  #follow(): void {
    const revision = this.#options.view.elected?.revision;
    if (revision === this.#wonRevision) this.#revision = revision;
    // One before ours is what the watch tells late.
    else if (revision === undefined || revision > this.#wonRevision) this.#revision = 0;
    this.#tell();
    if (this.#options.view.isVacant) this.#stand();
  }

  #stand(): void {
    if (this.#stopped || this.#isStanding) return;
    this.#isStanding = true;
    this.#cancelRetry?.();
    void this.#write();
  }

  async #write(): Promise<void> {
    const { store, lease, name, view } = this.#options;
    try {
      const { succeeded, revision } = await store.txn({
        compare: [{ key: ELECTED_KEY, target: "createRevision", is: "=", to: 0 }],
        success: [put(ELECTED_KEY, encodeJson({ node: name }), { lease: await lease.acquire() })],
      });
      this.#isStanding = false;
      this.#lastFailure = "";
      if (this.#stopped) return;
      if (succeeded) this.#revision = this.#wonRevision = revision;
      this.#tell();
      // Of whoever was faster, or of our own earlier one, the watch may have told already that it is gone.
      if (!succeeded) await view.look();
    } catch (error) {
      this.#isStanding = false;
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    if (this.#stopped || isStoreError(error, "CLOSED")) return;
    const failure = String(error);
    if (failure !== this.#lastFailure) this.#options.onError(error);
    this.#lastFailure = failure;
    this.#cancelRetry = this.#options.clock.after(RETRY_MS, () => this.#stand());
  }

  /** Tells of a change, and sees to it that the end of the lease is told, too, when the store can't. */
  #tell(): void {
    const { clock, lease } = this.#options;
    const { isElected } = this;
    this.#cancelEnd?.();
    if (this.#revision > 0) {
      const leftMs = lease.endsAtMs - MARGIN_MS - clock.nowMs();
      this.#cancelEnd = clock.after(leftMs > 0 ? leftMs : RETRY_MS, () => this.#tell());
    }
    if (isElected === this.#wasElected) return;
    this.#wasElected = isElected;
    for (const listener of this.#listeners) listener();
  }
}
