import { createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";

import { Maintenance } from "../../src/gen/etcd/etcd_pb.ts";
import { ALL_KEYS, type KeyValue, openEtcdStore, type Store, type WatchBatch } from "../../src/index.ts";
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

  /**
   * Ends the work and answers what is wrong: acknowledged writes have to be there once and others at most once, and the
   * watch has to have told exactly what was.
   */
  async judge(): Promise<string[]> {
    await this.workload.stop();
    const { kvs } = await this.#watcher.range(ALL_KEYS);
    await this.#seenUpTo(Math.max(...kvs.map(({ modRevision }) => modRevision)));
    const contradictions = [...this.workload.histories].flatMap(([key, history]) => {
      const wrong = findContradiction(history);
      return wrong === undefined ? [] : [`not linearizable: ${key}, ${JSON.stringify(wrong)}`];
    });
    return [...this.#wrongWatch(), ...this.#wrongEnd(kvs), ...this.#wrongFates(), ...contradictions];
  }

  async close(): Promise<void> {
    await this.workload.stop();
    this.#end.abort();
    await this.#watching;
    await Promise.all([...this.#stores, this.#watcher].map((store) => store.close()));
  }

  /** Revisions rise, and versions, which count the writes of a key, have no gap. */
  #wrongWatch(): string[] {
    const versions = new Map<string, number>();
    let last = 0;
    return this.#batches.flatMap(({ revision, events }) => {
      const wrong = revision > last ? [] : [`the watch told ${revision} after ${last}`];
      last = revision;
      for (const { kv } of events) {
        const expected = (versions.get(kv.key) ?? 0) + 1;
        if (kv.version !== expected) wrong.push(`the watch told version ${kv.version} of ${kv.key}, not ${expected}`);
        versions.set(kv.key, kv.version);
      }
      return wrong;
    });
  }

  #wrongEnd(kvs: readonly KeyValue[]): string[] {
    const told = new Map(this.#batches.flatMap(({ events }) => events.map(({ kv }) => [kv.key, text(kv)] as const)));
    return kvs.flatMap((kv) =>
      told.get(kv.key) === text(kv) ? [] : [`${kv.key} is ${text(kv)}, the watch told ${told.get(kv.key)}`],
    );
  }

  #wrongFates(): string[] {
    const written = this.#batches.flatMap(({ events }) => events.map(({ kv }) => text(kv)!));
    const counts = Map.groupBy(written, (value) => value);
    return [...this.workload.fates].flatMap(([value, fate]) => {
      const times = counts.get(value)?.length ?? 0;
      const isRight = fate === "acknowledged" ? times === 1 : times <= (fate === "unknown" ? 1 : 0);
      return isRight ? [] : [`${value} was ${fate} and written ${times} times`];
    });
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
  for (;;) for (const member of cluster.members) if (await leads(member)) return member;
}

async function leads({ url }: Member): Promise<boolean> {
  const sessionManager = new Http2SessionManager(url);
  const { status } = createClient(Maintenance, createGrpcTransport({ baseUrl: url, sessionManager }));
  try {
    const { leader, header } = await status({}, { timeoutMs: 1000 });
    return leader !== 0n && leader === header?.memberId;
  } catch {
    return false;
  } finally {
    sessionManager.abort();
  }
}
