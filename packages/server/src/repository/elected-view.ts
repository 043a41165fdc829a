import { type KeyValue, type Store } from "@fiberlb/store";

import type { ChangeFeed } from "./change-feed.ts";
import { decodeJson } from "./codec.ts";
import { ELECTED_KEY } from "./keys.ts";

/** Who is elected. */
export interface Elected {
  readonly node: string;
  /** Create revision of the key: another one for each election. */
  readonly revision: number;
}

/** Which node is elected to act for all, as the store says. */
export class ElectedView {
  readonly #store: Store;
  readonly #listeners = new Set<() => void>();
  #elected: Elected | undefined;
  #isKnown = false;

  constructor(store: Store, feed: ChangeFeed) {
    this.#store = store;
    feed.subscribe({
      onReload: async () => this.#note((await store.get(ELECTED_KEY)).kv),
      onChange: ({ type, kv }) => {
        if (kv.key === ELECTED_KEY) this.#note(type === "put" ? kv : undefined);
      },
    });
  }

  /** Undefined while nobody is, or that is not known. */
  get elected(): Elected | undefined {
    return this.#elected;
  }

  /** Whether anybody may stand: the store has said that nobody is elected. */
  get isVacant(): boolean {
    return this.#isKnown && this.#elected === undefined;
  }

  /** Called on every election and every end of one. @returns the way to unsubscribe */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Asks the store: for one whose election went another way than it thought. */
  async look(): Promise<void> {
    this.#note((await this.#store.get(ELECTED_KEY)).kv);
  }

  #note(kv: KeyValue | undefined): void {
    this.#isKnown = true;
    this.#elected =
      kv === undefined
        ? undefined
        : { node: (decodeJson(kv.value) as { readonly node: string }).node, revision: kv.createRevision };
    for (const listener of this.#listeners) listener();
  }
}
