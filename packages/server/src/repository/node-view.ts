import { prefixRange, type Store } from "@fiberlb/store";
import type { Node } from "@fiberlb/types";

import type { Clock } from "../clock.ts";
import type { ChangeFeed } from "./change-feed.ts";
import { decodeJson } from "./codec.ts";
import { lastText, NODE_PREFIX } from "./keys.ts";

/** The nodes that are alive, kept in memory: every status needs them. */
export class NodeView {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #nodes = new Map<string, Node>();
  readonly #waiting = new Set<() => void>();

  constructor(store: Store, { feed, clock }: { readonly feed: ChangeFeed; readonly clock: Clock }) {
    this.#store = store;
    this.#clock = clock;
    feed.subscribe({
      onReload: () => this.#reload(),
      onChange: ({ type, kv }) => {
        if (!kv.key.startsWith(NODE_PREFIX)) return;
        if (type === "put") this.note(decodeJson(kv.value) as Node);
        else this.#remove(lastText(kv.key));
      },
    });
  }

  /** By name. */
  get live(): readonly Node[] {
    return [...this.#nodes.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Takes over what a node says of itself; called for the own node before the store is told. */
  note(node: Node): void {
    const known = this.#nodes.get(node.name);
    // The watch may still bring what is older than what our own node told us directly.
    if (known?.startedAt === node.startedAt && known.appliedRevision > node.appliedRevision) return;
    this.#nodes.set(node.name, node);
    this.#wake();
  }

  /** Resolves when `done` holds for the live nodes, or after `timeoutMs`; checked at once and on every change. */
  waitFor(done: (nodes: readonly Node[]) => boolean, timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const finish = (): void => {
        this.#waiting.delete(check);
        cancel();
        resolve();
      };
      const check = (): void => {
        if (done(this.live)) finish();
      };
      const cancel = this.#clock.after(timeoutMs, finish);
      this.#waiting.add(check);
      check();
    });
  }

  async #reload(): Promise<void> {
    const { kvs } = await this.#store.range(prefixRange(NODE_PREFIX));
    this.#nodes.clear();
    for (const { value } of kvs) this.note(decodeJson(value) as Node);
    this.#wake();
  }

  #remove(name: string): void {
    this.#nodes.delete(name);
    this.#wake();
  }

  #wake(): void {
    for (const check of this.#waiting) check();
  }
}
