import { isStoreError, type LeaseId, type Op, put, remove, type Store } from "@fiberlb/store";
import type { Node } from "@fiberlb/types";

import type { Cancel, Clock } from "../clock.ts";
import { encodeJson } from "./codec.ts";
import { healthKey, nodeKey } from "./keys.ts";
import type { HealthVerdict, NodeVerdict } from "./node-records.ts";
import type { NodeView } from "./node-view.ts";

export interface NodeSessionOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly view: NodeView;
  /** A write failed; it is tried again after `RETRY_MS`. */
  readonly onError: (error: unknown) => void;
}

/** A node that is not heard of for so long is gone. */
const LEASE_TTL_MS = 10_000;
const KEEP_ALIVE_MS = 3_000;
/** At most ten writes a second (contract). */
const WRITE_INTERVAL_MS = 100;
const RETRY_MS = 1_000;
const VERDICTS_PER_WRITE = 100;

/**
 * What this node says of itself: its record and its probes' verdicts, under one lease, so that all of it goes when the
 * node does. Writes are gathered; only the newest state counts.
 */
export class NodeSession {
  readonly #options: NodeSessionOptions;
  readonly #verdicts = new Map<string, HealthVerdict>();
  /** Keys of backends whose verdict is to be written, or removed when there is none any more. */
  readonly #dirty = new Map<string, { readonly loadBalancerId: string; readonly backendId: string }>();
  #node: Node | undefined;
  #nodeDirty = false;
  #lease: LeaseId | undefined;
  #timer: Cancel | undefined;
  #keepAliveTimer: Cancel | undefined;
  #writing: Promise<void> = Promise.resolve();
  #lastWriteMs = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(options: NodeSessionOptions) {
    this.#options = options;
  }

  /** The state of the node now. Seen by this process at once, by others with the next write. */
  publish(node: Node): void {
    this.#node = node;
    this.#nodeDirty = true;
    this.#options.view.note(node);
    this.#schedule();
  }

  /** What the probes found; only changes need to be told. */
  recordHealth(verdicts: readonly HealthVerdict[]): void {
    for (const verdict of verdicts) {
      this.#verdicts.set(verdict.backendId, verdict);
      this.#dirty.set(verdict.backendId, verdict);
    }
    this.#schedule();
  }

  /** Backends that are no longer probed. */
  forgetHealth(backends: readonly { readonly loadBalancerId: string; readonly backendId: string }[]): void {
    for (const backend of backends) {
      this.#verdicts.delete(backend.backendId);
      this.#dirty.set(backend.backendId, backend);
    }
    this.#schedule();
  }

  /** Resolves when everything told so far has been written, or its write has failed. */
  async flushed(): Promise<void> {
    await this.#writing;
  }

  /** Says goodbye: the node's record and verdicts go at once. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.();
    this.#keepAliveTimer?.();
    await this.#writing;
    const lease = this.#lease;
    if (lease === undefined) return;
    await this.#options.store.revokeLease(lease).catch((error: unknown) => {
      if (!isStoreError(error, "LEASE_NOT_FOUND", "CLOSED")) this.#options.onError(error);
    });
  }

  #schedule(delayMs = this.#lastWriteMs + WRITE_INTERVAL_MS - this.#options.clock.nowMs()): void {
    if (this.#closed || this.#timer !== undefined || this.#node === undefined) return;
    if (!this.#nodeDirty && this.#dirty.size === 0) return;
    if (delayMs <= 0) {
      this.#timer = () => undefined;
      this.#writing = this.#writing.then(() => this.#write());
      return;
    }
    this.#timer = this.#options.clock.after(delayMs, () => {
      this.#writing = this.#writing.then(() => this.#write());
    });
  }

  async #write(): Promise<void> {
    if (this.#closed) return;
    this.#lastWriteMs = this.#options.clock.nowMs();
    const backends = [...this.#dirty.values()].slice(0, VERDICTS_PER_WRITE);
    const nodeWasDirty = this.#nodeDirty;
    this.#nodeDirty = false;
    for (const { backendId } of backends) this.#dirty.delete(backendId);
    try {
      const lease = await this.#ensureLease();
      await this.#options.store.txn({ success: this.#ops(lease, nodeWasDirty, backends) });
      this.#timer = undefined;
      this.#schedule();
    } catch (error) {
      this.#nodeDirty ||= nodeWasDirty;
      for (const backend of backends)
        if (!this.#dirty.has(backend.backendId)) this.#dirty.set(backend.backendId, backend);
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    this.#timer = undefined;
    if (isStoreError(error, "LEASE_NOT_FOUND")) {
      this.#loseLease();
      return;
    }
    this.#options.onError(error);
    this.#schedule(RETRY_MS);
  }

  #ops(
    lease: LeaseId,
    nodeDirty: boolean,
    backends: readonly { readonly loadBalancerId: string; readonly backendId: string }[],
  ): Op[] {
    const node = this.#node as Node;
    const verdicts = backends.map(({ loadBalancerId, backendId }) => {
      const key = healthKey({ loadBalancerId, backendId, node: node.name });
      const verdict = this.#verdicts.get(backendId);
      if (verdict === undefined) return remove(key);
      return put(key, encodeJson({ ...verdict, node: node.name } satisfies NodeVerdict), { lease });
    });
    return nodeDirty ? [put(nodeKey(node.name), encodeJson(node), { lease }), ...verdicts] : verdicts;
  }

  async #ensureLease(): Promise<LeaseId> {
    if (this.#lease !== undefined) return this.#lease;
    this.#lease = await this.#options.store.grantLease(LEASE_TTL_MS);
    this.#keepAliveLater();
    return this.#lease;
  }

  #keepAliveLater(): void {
    this.#keepAliveTimer?.();
    this.#keepAliveTimer = this.#options.clock.after(KEEP_ALIVE_MS, () => void this.#keepAlive());
  }

  async #keepAlive(): Promise<void> {
    if (this.#closed || this.#lease === undefined) return;
    try {
      await this.#options.store.keepAlive(this.#lease);
    } catch (error) {
      if (isStoreError(error, "LEASE_NOT_FOUND")) return this.#loseLease();
      if (isStoreError(error, "CLOSED")) return;
      this.#options.onError(error);
    }
    this.#keepAliveLater();
  }

  /** The store was away for longer than the lease: everything we said is gone and has to be said again. */
  #loseLease(): void {
    this.#lease = undefined;
    this.#nodeDirty = true;
    for (const verdict of this.#verdicts.values()) this.#dirty.set(verdict.backendId, verdict);
    this.#schedule();
  }
}
