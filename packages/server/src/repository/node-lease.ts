import { isStoreError, type KeyValue, type LeaseId, put, type Store } from "@fiberlb/store";

import { type Cancel, type Clock, delay } from "../clock.ts";
import { decodeJson, encodeJson } from "./codec.ts";
import { nodeNameKey } from "./keys.ts";

/** Who speaks as a node: of the processes that were given one name only one does. */
export interface NodeInstance {
  /** Of the installation: the same after a restart, another one on another host. */
  readonly installation: string;
  /** Of the process. */
  readonly process: string;
  /** The host's name, for people. */
  readonly host: string;
  /** When the process started, ISO 8601. */
  readonly startedAt: string;
}

/** Another process speaks as the node of this name. */
export class NodeNameTakenError extends Error {
  override readonly name = "NodeNameTakenError";
  readonly holder: KeyValue;

  constructor(name: string, holder: KeyValue) {
    const { host, startedAt } = decodeJson(holder.value) as NodeInstance;
    super(
      `Cannot be node ${name}: host ${host} runs a node of that name, started ${startedAt}; set node.name to a name of its own, or stop the other one`,
    );
    this.holder = holder;
  }
}

/** How a {@link NodeLease} is held. */
export interface NodeLeaseOptions {
  readonly name: string;
  readonly instance: NodeInstance;
  readonly store: Store;
  readonly clock: Clock;
  /** The lease has ended, and with it all that was written under it. */
  readonly onLost: () => void;
  /** Keeping it alive failed, and is tried again. Not called twice in a row for the same reason. */
  readonly onError: (error: unknown) => void;
}

/** A node that is not heard of for so long is gone. */
export const LEASE_TTL_MS = 10_000;
const KEEP_ALIVE_MS = 3_000;
/** How often it is looked whether another holder of the name lives. */
const LOOK_MS = 500;
/** A lease that has so much more time left than it could have was kept alive; etcd tells whole seconds. */
const SIGN_OF_LIFE_MS = 1_500;

/**
 * The lease under which a node tells of itself, with the claim to its name. Once it is lost the next one is begun by
 * whoever needs it.
 */
export class NodeLease {
  readonly #options: NodeLeaseOptions;
  readonly #key: string;
  #lease: LeaseId | undefined;
  #endsAtMs = Number.NEGATIVE_INFINITY;
  /** A process before this one, of the same installation, is dead: its claim counts for nothing. But only once. */
  #isFirst = true;
  #acquiring: Promise<LeaseId> | undefined;
  #cancelKeepAlive: Cancel | undefined;
  #lastFailure = "";
  #closed = false;

  constructor(options: NodeLeaseOptions) {
    this.#options = options;
    this.#key = nodeNameKey(options.name);
  }

  /** The lease that is held, as far as this process knows. */
  get current(): LeaseId | undefined {
    return this.#lease;
  }

  /**
   * When it ends unless it is kept alive, in the clock's milliseconds. Reckoned from before the store was asked, so that
   * the store never ends it earlier.
   */
  get endsAtMs(): number {
    return this.#endsAtMs;
  }

  /** The lease; begun if there is none. @throws NodeNameTakenError, StoreError */
  async acquire(): Promise<LeaseId> {
    if (this.#lease !== undefined) return this.#lease;
    this.#acquiring ??= this.#begin().finally(() => (this.#acquiring = undefined));
    return this.#acquiring;
  }

  /**
   * The same, but a holder that does not live is waited for until its lease ends, which takes up to 10 s.
   * @throws NodeNameTakenError when the holder lives; StoreError
   */
  async claim(): Promise<void> {
    const { clock } = this.#options;
    let before: { readonly lease: LeaseId; readonly endsAtMs: number } | undefined;
    for (;;) {
      const taken = await this.acquire().then(
        () => undefined,
        (error: unknown) => error,
      );
      if (taken === undefined) return;
      if (!(taken instanceof NodeNameTakenError)) throw taken;
      const { lease } = taken.holder;
      const endsAtMs = lease === undefined ? undefined : await this.#endOf(lease);
      const isAlive =
        before !== undefined &&
        endsAtMs !== undefined &&
        (before.lease !== lease || endsAtMs > before.endsAtMs + SIGN_OF_LIFE_MS);
      if (isAlive || lease === undefined) throw taken;
      if (endsAtMs !== undefined && before === undefined) before = { lease, endsAtMs };
      await delay(clock, LOOK_MS);
    }
  }

  /** Somebody was told by the store that this lease has ended. */
  lost(lease: LeaseId): void {
    if (this.#lease !== lease) return;
    this.#lease = undefined;
    this.#endsAtMs = Number.NEGATIVE_INFINITY;
    this.#cancelKeepAlive?.();
    if (!this.#closed) this.#options.onLost();
  }

  /** Ends it at once, with all that was written under it. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelKeepAlive?.();
    await this.#acquiring?.catch(() => undefined);
    if (this.#lease !== undefined) await this.#revoke(this.#lease);
    this.#lease = undefined;
    this.#endsAtMs = Number.NEGATIVE_INFINITY;
  }

  async #begin(): Promise<LeaseId> {
    const { store, name, instance, clock } = this.#options;
    const { kv: holder } = await store.get(this.#key);
    if (holder !== undefined && !this.#mayReplace(holder)) throw new NodeNameTakenError(name, holder);
    const askedAtMs = clock.nowMs();
    const lease = await store.grantLease(LEASE_TTL_MS);
    const { succeeded } = await store
      .txn({
        compare: [{ key: this.#key, target: "modRevision", is: "=", to: holder?.modRevision ?? 0 }],
        success: [put(this.#key, encodeJson(instance), { lease })],
      })
      .catch(async (error: unknown) => {
        await this.#revoke(lease);
        throw error;
      });
    if (!succeeded) {
      await this.#revoke(lease);
      return this.#begin();
    }
    this.#isFirst = false;
    // What a dead process said of this node goes with its lease.
    if (holder?.lease !== undefined) await this.#revoke(holder.lease);
    this.#lease = lease;
    this.#endsAtMs = askedAtMs + LEASE_TTL_MS;
    this.#keepAliveLater();
    return lease;
  }

  #mayReplace({ value }: KeyValue): boolean {
    const holder = decodeJson(value) as NodeInstance;
    const { instance } = this.#options;
    return holder.process === instance.process || (this.#isFirst && holder.installation === instance.installation);
  }

  /** When the lease of another process ends on our clock; undefined when it has. */
  async #endOf(lease: LeaseId): Promise<number | undefined> {
    const { store, clock } = this.#options;
    try {
      const { remainingMs } = await store.leaseTimeToLive(lease);
      return clock.nowMs() + remainingMs;
    } catch (error) {
      if (isStoreError(error, "LEASE_NOT_FOUND")) return undefined;
      throw error;
    }
  }

  /** One that cannot be revoked ends by itself. */
  async #revoke(lease: LeaseId): Promise<void> {
    await this.#options.store.revokeLease(lease).catch((error: unknown) => {
      if (!isStoreError(error, "LEASE_NOT_FOUND", "CLOSED")) this.#failed(error);
    });
  }

  #keepAliveLater(): void {
    this.#cancelKeepAlive?.();
    if (!this.#closed) this.#cancelKeepAlive = this.#options.clock.after(KEEP_ALIVE_MS, () => void this.#keepAlive());
  }

  async #keepAlive(): Promise<void> {
    const lease = this.#lease;
    if (this.#closed || lease === undefined) return;
    const askedAtMs = this.#options.clock.nowMs();
    try {
      await this.#options.store.keepAlive(lease);
      if (this.#lease === lease) this.#endsAtMs = askedAtMs + LEASE_TTL_MS;
      this.#lastFailure = "";
    } catch (error) {
      if (isStoreError(error, "LEASE_NOT_FOUND")) return this.lost(lease);
      if (isStoreError(error, "CLOSED")) return;
      this.#failed(error);
    }
    if (this.#lease === lease) this.#keepAliveLater();
  }

  #failed(error: unknown): void {
    const failure = String(error);
    if (failure === this.#lastFailure) return;
    this.#lastFailure = failure;
    this.#options.onError(error);
  }
}
