import type { Store } from "@fiberlb/store";
import type { Node } from "@fiberlb/types";

import type { Clock } from "../clock.ts";
import { ejectionKey, healthKey, nodeKey } from "./keys.ts";
import { LeasedRecords } from "./leased-records.ts";
import { type NodeInstance, NodeLease } from "./node-lease.ts";
import type { HealthVerdict, NodeEjection, NodeVerdict } from "./node-records.ts";
import type { NodeView } from "./node-view.ts";

export interface NodeSessionOptions {
  /** The node's name, by which others know whose a record is. */
  readonly name: string;
  readonly instance: NodeInstance;
  readonly store: Store;
  readonly clock: Clock;
  readonly view: NodeView;
  /** A write failed; it is tried again. */
  readonly onError: (error: unknown) => void;
}

/**
 * What this node says of itself: its record, its probes' verdicts and whatever else its parts tell the other nodes, under
 * one lease, so that all of it goes when the node does.
 */
export class NodeSession {
  /** For whoever acts only while this node is alive. */
  readonly lease: NodeLease;
  readonly #name: string;
  readonly #view: NodeView;
  readonly #records: LeasedRecords;

  constructor({ name, instance, view, ...rest }: NodeSessionOptions) {
    this.#name = name;
    this.#view = view;
    this.lease = new NodeLease({ ...rest, name, instance, onLost: () => this.#records.rewrite() });
    this.#records = new LeasedRecords({ ...rest, lease: this.lease, first: nodeKey(name) });
  }

  /**
   * Makes sure that nobody else is this node; a process of it that died is waited for. Without it the name is claimed by
   * the first write.
   * @throws NodeNameTakenError when another process is; StoreError
   */
  async claim(): Promise<void> {
    await this.lease.claim();
  }

  /** The state of the node now. Seen by this process at once, by others with the next write. */
  publish(node: Node): void {
    this.#view.note(node);
    this.#records.set(nodeKey(this.#name), node);
  }

  /** What the probes found; only changes need to be told. */
  recordHealth(verdicts: readonly HealthVerdict[]): void {
    for (const verdict of verdicts)
      this.#records.set(this.#healthKey(verdict), { ...verdict, node: this.#name } satisfies NodeVerdict);
  }

  /** Backends that are no longer probed. */
  forgetHealth(backends: readonly { readonly loadBalancerId: string; readonly backendId: string }[]): void {
    for (const backend of backends) this.#records.remove(this.#healthKey(backend));
  }

  /** The data plane leaves a backend out until then, or, without a time, has it back. */
  recordEjection({
    loadBalancerId,
    backendId,
    until,
  }: {
    readonly loadBalancerId: string;
    readonly backendId: string;
    readonly until?: string;
  }): void {
    const key = ejectionKey({ loadBalancerId, backendId, node: this.#name });
    if (until === undefined) return this.#records.remove(key);
    const record = { node: this.#name, loadBalancerId, backendId, ejectedUntil: until } satisfies NodeEjection;
    this.#records.set(key, record);
  }

  /**
   * Any JSON record of this node. It goes with the node's lease, is written again when the lease was lost, and is
   * gathered with the others into at most ten transactions a second; only the newest value of a key counts.
   *
   * @param key ends with the node's name, so that no two nodes write the same one
   * @param value is not copied: do not change it afterwards
   */
  setRecord(key: string, value: object): void {
    this.#records.set(key, value);
  }

  /** Takes back a record; nothing happens when there is none. */
  removeRecord(key: string): void {
    this.#records.remove(key);
  }

  /** Resolves when the write that runs is over, whatever became of it. */
  async flushed(): Promise<void> {
    await this.#records.flushed();
  }

  /** Says goodbye: the node's record and everything else of it goes at once. */
  async close(): Promise<void> {
    await this.#records.close();
    await this.lease.close();
  }

  #healthKey(at: { readonly loadBalancerId: string; readonly backendId: string }): string {
    return healthKey({ ...at, node: this.#name });
  }
}
