import type { MessageInitShape } from "@bufbuild/protobuf";

import type { Cancel, Clock } from "../clock.ts";
import { StoreError } from "../errors.ts";
import type { WatchRequestSchema, WatchResponse } from "../gen/etcd/etcd_pb.ts";
import { BatchAssembly } from "./batch-assembly.ts";
import type { Endpoint } from "./endpoint.ts";
import type { EtcdWatcher } from "./etcd-watcher.ts";
import { NoAnswer } from "./failure.ts";
import type { KeySpace } from "./key-space.ts";
import { RequestQueue } from "./request-queue.ts";
import type { Revisions } from "./revisions.ts";

/** How often the stream is looked after: often enough for a consumer that waits to hear that it has caught up. */
const BEAT_MS = 100;
/** How often a member is asked how far the watches are, so that it says something. */
const ASK_MS = 1000;
/** A member that is silent for so long is taken for lost. */
const SILENCE_MS = 2500;
/** An answer to "how far?" that has not come after this was not sent: etcd answers at once, or not at all. */
const ANSWERED_WITHIN_MS = 10_000;
/** etcd's id in answers that concern no watch, or all. */
const NO_WATCH = -1n;

export interface WatchStreamOptions {
  readonly endpoint: Endpoint;
  readonly keys: KeySpace;
  readonly revisions: Revisions;
  readonly clock: Clock;
}

interface Served {
  readonly watcher: EtcdWatcher;
  readonly assembly: BatchAssembly;
  confirmed: boolean;
  /** Revision at which etcd took the watch on. */
  createdAt: number;
  /** So many answers to "how far?" may still come that were made before etcd took the watch on. */
  olderAnswers: number;
}

/** One stream to one member that serves any number of watches. */
export class WatchStream {
  readonly #options: WatchStreamOptions;
  readonly #requests = new RequestQueue<MessageInitShape<typeof WatchRequestSchema>>();
  readonly #abort = new AbortController();
  readonly #served = new Map<bigint, Served>();
  /** Watches that were asked for and are not confirmed yet; etcd confirms them in this order. */
  readonly #unconfirmed: bigint[] = [];
  /** When each "how far?" without an answer was sent. */
  #unanswered: number[] = [];
  #lastId = 0n;
  #heartbeat: Cancel = () => {};
  #heardMs: number;
  #askedMs: number;

  constructor(options: WatchStreamOptions) {
    this.#options = options;
    this.#heardMs = options.clock.now();
    this.#askedMs = this.#heardMs;
  }

  get idle(): boolean {
    return this.#served.size === 0;
  }

  /** Carries the conversation until the stream ends or {@link close} is called. @throws what ended it */
  async run(onProgress: () => void): Promise<void> {
    const { endpoint, clock } = this.#options;
    this.#heardMs = clock.now();
    this.#beat();
    try {
      for await (const response of endpoint.watch.watch(this.#requests, { signal: this.#abort.signal })) {
        this.#heardMs = clock.now();
        endpoint.heard();
        this.#take(response);
        onProgress();
      }
      if (!this.#abort.signal.aborted) throw new NoAnswer("the member ended the watch stream");
    } catch (error) {
      throw this.#abort.signal.aborted ? this.#abort.signal.reason : error;
    } finally {
      this.#heartbeat();
      this.#requests.end();
      this.#abort.abort();
    }
  }

  /** Ends the conversation; `reason` is what {@link run} throws. */
  close(reason: unknown): void {
    this.#abort.abort(reason);
  }

  serve(watcher: EtcdWatcher): void {
    const { keys, revisions } = this.#options;
    const range = keys.range(watcher.watch);
    if (range === undefined) return;
    const watchId = ++this.#lastId;
    this.#served.set(watchId, {
      watcher,
      assembly: new BatchAssembly(keys),
      confirmed: false,
      createdAt: 0,
      olderAnswers: 0,
    });
    this.#unconfirmed.push(watchId);
    const startRevision = BigInt(startOf(watcher, revisions.newest));
    const prevKv = watcher.watch.prevKv === true;
    const create = { ...range, startRevision, watchId, prevKv, fragment: true };
    this.#requests.push({ requestUnion: { case: "createRequest", value: create } });
  }

  /** Stops serving a watcher that has ended or is paused. */
  drop(watcher: EtcdWatcher): void {
    for (const [watchId, served] of this.#served) {
      if (served.watcher !== watcher) continue;
      this.#served.delete(watchId);
      this.#requests.push({ requestUnion: { case: "cancelRequest", value: { watchId } } });
    }
  }

  askProgress(): void {
    const nowMs = this.#options.clock.now();
    this.#unanswered = this.#unanswered.filter((sentMs) => nowMs - sentMs < ANSWERED_WITHIN_MS);
    this.#unanswered.push(nowMs);
    this.#askedMs = nowMs;
    this.#requests.push({ requestUnion: { case: "progressRequest", value: {} } });
  }

  #beat(): void {
    const { clock } = this.#options;
    this.#heartbeat = clock.after(BEAT_MS, () => {
      const nowMs = clock.now();
      if (nowMs - this.#heardMs >= SILENCE_MS) return this.#giveUp(nowMs - this.#heardMs);
      if (this.#impatient() || nowMs - this.#askedMs >= ASK_MS) this.askProgress();
      this.#beat();
    });
  }

  #impatient(): boolean {
    return [...this.#served.values()].some(({ watcher }) => watcher.impatient);
  }

  #giveUp(silentMs: number): void {
    const error = new NoAnswer(`no word on the watch stream for ${Math.round(silentMs)} ms`);
    this.close(error);
    this.#options.endpoint.abort(error);
  }

  #take(response: WatchResponse): void {
    this.#options.revisions.heard(response.header);
    if (response.created) return this.#created(response);
    if (response.canceled) return this.#canceled(response);
    if (response.watchId === NO_WATCH) return this.#progressed(Number(response.header?.revision ?? 0n));
    const served = this.#served.get(response.watchId);
    if (served === undefined) return;
    for (const batch of served.assembly.add(response)) served.watcher.take(batch);
    if (!served.watcher.wanting) this.drop(served.watcher);
  }

  #created({ canceled, cancelReason, header }: WatchResponse): void {
    const watchId = this.#unconfirmed.shift();
    const served = watchId === undefined ? undefined : this.#served.get(watchId);
    if (canceled) {
      // A new token helps from the next stream on: this one's headers are sent.
      throw new WatchRefused(cancelReason, served?.watcher);
    }
    if (served === undefined) return;
    served.confirmed = true;
    served.createdAt = Number(header?.revision ?? 0n);
    served.olderAnswers = this.#unanswered.length;
    served.watcher.started(served.createdAt);
    if (served.watcher.watch.progress === true) this.askProgress();
  }

  #canceled({ watchId, compactRevision, cancelReason }: WatchResponse): void {
    const served = this.#served.get(watchId);
    if (served === undefined) return;
    this.#served.delete(watchId);
    if (compactRevision === 0n) throw new WatchRefused(cancelReason, served.watcher);
    this.#options.revisions.heardCompacted(Number(compactRevision));
    served.watcher.compacted(Number(compactRevision));
    if (served.watcher.wanting) this.serve(served.watcher);
  }

  /** All watches that etcd had when it made this answer are complete up to its revision. */
  #progressed(revision: number): void {
    this.#unanswered.shift();
    for (const served of this.#served.values()) {
      if (!served.confirmed) continue;
      if (served.olderAnswers > 0) served.olderAnswers--;
      else served.watcher.progress(revision);
    }
  }
}

/** A member does not serve a watch, in its own words. */
export class WatchRefused extends Error {
  override readonly name = "WatchRefused";
  readonly watcher: EtcdWatcher | undefined;

  constructor(reason: string, watcher: EtcdWatcher | undefined) {
    super(reason === "" ? "the watch was cancelled" : reason);
    this.watcher = watcher;
  }

  /** As the consumer of the watch hears it. */
  asStoreError(): StoreError {
    return new StoreError("UNAVAILABLE", `etcd refuses the watch: ${this.message}`, { cause: this });
  }
}

/**
 * One revision early, and none in the future: etcd takes a watch that begins at a compacted revision's heels for
 * complete, and tells nothing of its progress to one that begins in the future. What comes too early is left out.
 */
function startOf(watcher: EtcdWatcher, newest: number): number {
  if (watcher.next === undefined) return 0;
  return Math.max(1, Math.min(watcher.next - 1, newest));
}
