import type { Event, WatchResponse } from "../gen/etcd/etcd_pb.ts";
import type { WatchBatch, WatchEvent } from "../store.ts";
import type { KeySpace } from "./key-space.ts";
import { toWatchEvent } from "./messages.ts";

/** Makes whole transactions of one watch's messages, which etcd may send in fragments that split them anywhere. */
export class BatchAssembly {
  readonly #keys: KeySpace;
  /** Events of a transaction whose end has not come yet. */
  #revision = 0;
  #events: WatchEvent[] = [];

  constructor(keys: KeySpace) {
    this.#keys = keys;
  }

  /** What is complete now. */
  add({ events, fragment }: Pick<WatchResponse, "events" | "fragment">): WatchBatch[] {
    const batches: WatchBatch[] = [];
    for (const event of events) {
      if (!hasKey(event)) continue;
      const revision = Number(event.kv.modRevision);
      if (revision !== this.#revision) this.#flush(batches);
      this.#revision = revision;
      this.#events.push(toWatchEvent(event, this.#keys));
    }
    if (!fragment) this.#flush(batches);
    return batches;
  }

  #flush(batches: WatchBatch[]): void {
    if (this.#events.length === 0) return;
    batches.push({ revision: this.#revision, events: this.#events });
    this.#events = [];
  }
}

function hasKey(event: Event): event is Event & { kv: NonNullable<Event["kv"]> } {
  return event.kv !== undefined;
}
