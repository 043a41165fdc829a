import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { expect } from "@jest/globals";

import { Maintenance } from "../../src/gen/etcd/etcd_pb.ts";
import { ALL_KEYS, openEtcdStore, type Store, type WatchBatch } from "../../src/index.ts";
import { text } from "../contract/fixture.ts";
import type { EtcdCluster, Member } from "./etcd-process.ts";
import { findContradiction } from "./linearizability.ts";
import { Workload } from "./workload.ts";

const KEYS = ["a", "b", "c", "d"];
let runs = 0;

/** Clients at work on a cluster that things happen to, with a watch beside them; judged at the end. */
export class FaultRun {
  readonly workload: Workload;
  readonly #stores: readonly Store[];
  readonly #watcher: Store;
  readonly #batches: WatchBatch[] = [];
  readonly #watching: Promise<void>;
  #onBatch: () => void = () => {};
  readonly #end = new AbortController();

  private constructor(stores: readonly Store[], watcher: Store) {
    this.#stores = stores;
    this.#watcher = watcher;
    this.workload = new Workload(stores, KEYS);
    this.#watching = this.#watch();
    this.workload.start();
  }

  static async start(cluster: EtcdCluster, clients: number): Promise<FaultRun> {
    const prefix = `/faults-${runs++}/`;
    const open = () => openEtcdStore({ endpoints: cluster.endpoints, prefix, attemptTimeoutMs: 1500, timeoutMs: 4000 });
    const stores = await Promise.all(Array.from({ length: clients }, open));
    return new FaultRun(stores, await open());
  }

  /** Ends the work. Acknowledged writes are there once, others at most once, and the watch has told exactly what was. */
  async judge(): Promise<void> {
    await this.workload.stop();
    const { kvs, revision } = await this.#watcher.range(ALL_KEYS);
    await this.#seenUpTo(Math.max(...kvs.map(({ modRevision }) => modRevision)));
    expect(revision).toBeGreaterThan(0);
    const written = this.#checkWatch();
    const final = kvs.map((kv) => [kv.key, text(kv)]);
    const last = new Map(this.#batches.flatMap(({ events }) => events.map(({ kv }) => [kv.key, text(kv)] as const)));
    expect(final).toEqual([...last].toSorted(([a], [b]) => (a < b ? -1 : 1)));
    this.#checkFates(written);
    for (const history of this.workload.histories.values()) expect(findContradiction(history)).toBeUndefined();
  }

  async close(): Promise<void> {
    await this.workload.stop();
    this.#end.abort();
    await this.#watching;
    await Promise.all([...this.#stores, this.#watcher].map((store) => store.close()));
  }

  /** How often each value was written, by the watch. */
  #checkWatch(): Map<string, number> {
    const revisions = this.#batches.map(({ revision }) => revision);
    expect(revisions).toEqual([...new Set(revisions)].toSorted((a, b) => a - b));
    const written = new Map<string, number>();
    const versions = new Map<string, number>();
    for (const { kv } of this.#batches.flatMap(({ events }) => events)) {
      written.set(text(kv)!, (written.get(text(kv)!) ?? 0) + 1);
      // Versions count writes: one that was not told would leave a gap.
      expect([kv.key, kv.version]).toEqual([kv.key, (versions.get(kv.key) ?? 0) + 1]);
      versions.set(kv.key, kv.version);
    }
    return written;
  }

  #checkFates(written: ReadonlyMap<string, number>): void {
    const wrong = [...this.workload.fates].filter(([value, fate]) => {
      const times = written.get(value) ?? 0;
      if (fate === "acknowledged") return times !== 1;
      return fate === "unknown" ? times > 1 : times !== 0;
    });
    expect(wrong).toEqual([]);
  }

  async #watch(): Promise<void> {
    for await (const batch of this.#watcher.watch({ ...ALL_KEYS, signal: this.#end.signal })) {
      this.#batches.push(batch);
      this.#onBatch();
    }
  }

  #seenUpTo(revision: number): Promise<void> {
    return new Promise((resolve) => {
      this.#onBatch = () => {
        if ((this.#batches.at(-1)?.revision ?? 0) >= revision) resolve();
      };
      this.#onBatch();
    });
  }
}

/** The member that leads now. */
export async function findLeader(cluster: EtcdCluster): Promise<Member> {
  for (;;) {
    for (const member of cluster.members) {
      const transport = createGrpcTransport({ baseUrl: member.url });
      const status = await createClient(Maintenance, transport)
        .status({}, { timeoutMs: 1000 })
        .catch(() => undefined);
      if (status !== undefined && status.leader !== 0n && status.leader === status.header?.memberId) return member;
    }
  }
}
