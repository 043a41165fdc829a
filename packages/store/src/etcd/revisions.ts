import { LIMITS } from "../limits.ts";
import type { Random } from "../random.ts";
import type { Cluster } from "./cluster.ts";
import type { Endpoint } from "./endpoint.ts";
import type { KeySpace } from "./key-space.ts";

/** The history is compacted when it is about twice as long as what is kept. */
const COMPACTION_SLACK = LIMITS.retainedRevisions;

export interface RevisionsOptions {
  readonly cluster: Cluster;
  readonly keys: KeySpace;
  readonly random: Random;
  /** The cluster was put back to an earlier state, from a backup: what was read of it since then never was. */
  readonly onSetBack: (revision: number) => void;
}

/** What is known of the cluster's revisions, from the answers that came by. */
export class Revisions {
  readonly #cluster: Cluster;
  readonly #keys: KeySpace;
  readonly #random: Random;
  readonly #onSetBack: (revision: number) => void;
  #newest = 0;
  #compacted = 0;
  #compactAt: number;

  constructor({ cluster, keys, random, onSetBack }: RevisionsOptions) {
    this.#cluster = cluster;
    this.#keys = keys;
    this.#random = random;
    this.#onSetBack = onSetBack;
    this.#compactAt = this.#nextCompaction();
  }

  /** The newest that this client has heard of; 0 when it has heard of none. */
  get newest(): number {
    return this.#newest;
  }

  /** Of the compactions that this client has heard of, the last. */
  get compacted(): number {
    return this.#compacted;
  }

  /** Takes note of an answer. */
  heard(header: { readonly revision: bigint } | undefined): void {
    const revision = Number(header?.revision ?? 0n);
    if (revision <= this.#newest) return;
    this.#newest = revision;
    if (revision >= this.#compactAt) this.#compactOld();
  }

  /**
   * Takes note of an answer to a request that saw everything committed before it was made, when `before` was the newest.
   * An older one can only come from a cluster that was put back to an earlier state.
   */
  heardLinearizable(header: { readonly revision: bigint } | undefined, before: number): void {
    const revision = Number(header?.revision ?? 0n);
    if (revision >= before) return this.heard(header);
    this.#newest = revision;
    this.#compacted = 0;
    this.#compactAt = this.#nextCompaction();
    this.#onSetBack(revision);
  }

  /** Takes note of a compaction. */
  heardCompacted(revision: number): void {
    this.#compacted = Math.max(this.#compacted, revision);
  }

  /** The last compaction, which etcd has said is later than `before`. */
  async lastCompaction(before: number): Promise<number> {
    if (before < 1) return this.#compacted;
    const { value } = await this.#cluster.call({
      what: "the compaction revision",
      repeatable: true,
      perform: (endpoint, signal) => this.#probe(endpoint, before, signal),
    });
    this.heardCompacted(value);
    return this.#compacted;
  }

  /** etcd tells the revision of the last compaction to nobody but a watch that begins before it. */
  async #probe(endpoint: Endpoint, before: number, signal: AbortSignal): Promise<number> {
    const end = new AbortController();
    const create = { key: this.#keys.encode("\0"), startRevision: BigInt(before) };
    const requests = (async function* () {
      yield { requestUnion: { case: "createRequest" as const, value: create } };
      await new Promise<void>((resolve) => end.signal.addEventListener("abort", () => resolve(), { once: true }));
    })();
    try {
      for await (const response of endpoint.watch.watch(requests, { signal: AbortSignal.any([signal, end.signal]) })) {
        if (response.canceled) return Number(response.compactRevision);
      }
      return this.#compacted;
    } finally {
      end.abort();
    }
  }

  /** Each client asks a little earlier or later: who comes second only hears that it has been done. */
  #nextCompaction(): number {
    return this.#newest + COMPACTION_SLACK + Math.floor(this.#random() * 1000);
  }

  /** etcd keeps all history until it is told otherwise, and what keeps growing fills its disk. */
  #compactOld(): void {
    this.#compactAt = this.#nextCompaction();
    const revision = this.#newest - LIMITS.retainedRevisions;
    if (revision <= this.#compacted) return;
    const compaction = this.#cluster.call({
      what: "the compaction",
      repeatable: true,
      perform: (endpoint, signal) => endpoint.kv.compact({ revision: BigInt(revision) }, { signal }),
    });
    // Refused: somebody else was faster, or the cluster is away. The next one takes this one's part along.
    compaction.then(
      () => this.heardCompacted(revision),
      () => {},
    );
  }
}
