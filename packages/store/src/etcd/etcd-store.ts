import { Code, ConnectError } from "@connectrpc/connect";

import { systemClock } from "../clock.ts";
import type { RangeResponse } from "../gen/etcd/etcd_pb.ts";
import type { StoreLogger } from "../logger.ts";
import { systemRandom } from "../random.ts";
import { closed, compacted, futureRevision } from "../refusals.ts";
import type * as contract from "../store.ts";
import { checkGet, checkLeaseTtl, checkRangeRequest, checkRevision, checkTxn, checkWatch } from "../validate.ts";
import { Cluster } from "./cluster.ts";
import { Credentials } from "./credentials.ts";
import { Endpoint } from "./endpoint.ts";
import { KeySpace } from "./key-space.ts";
import { Leases } from "./leases.ts";
import { toKeyValue } from "./messages.ts";
import { type ReadRequest, toRange, toReadRequest } from "./operations.ts";
import { checkedEndpoints, checkOptions, type EtcdStoreOptions } from "./options.ts";
import { Revisions } from "./revisions.ts";
import { Transactions } from "./transactions.ts";
import { Watches } from "./watches.ts";

const DEFAULTS = { timeoutMs: 5000, attemptTimeoutMs: 2000, connectTimeoutMs: 1000 } as const;

/**
 * Opens a store in an etcd cluster (3.4.38 or newer, 3.5 or 3.6), shared by all who open it with the same prefix.
 *
 * @throws StoreError `INVALID` for wrong options, `UNAVAILABLE` when no member answers or etcd does not accept the user
 */
export async function openEtcdStore(options: EtcdStoreOptions): Promise<contract.Store> {
  checkOptions(options);
  const store = new EtcdStore(checkedEndpoints(options), options);
  if (options.verify === false) return store;
  try {
    await store.status();
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

class EtcdStore implements contract.Store {
  readonly #keys: KeySpace;
  /** A read of no key, for the revision that comes with the answer. */
  readonly #nothing: ReadRequest;
  readonly #cluster: Cluster;
  readonly #revisions: Revisions;
  readonly #leases: Leases;
  readonly #transactions: Transactions;
  readonly #watches: Watches;
  readonly #logger: StoreLogger | undefined;
  #warned = false;
  #closing: Promise<void> | undefined;

  constructor(urls: readonly string[], options: EtcdStoreOptions) {
    const { clock = systemClock, random = systemRandom, tls, logger } = options;
    const { timeoutMs, attemptTimeoutMs, connectTimeoutMs } = { ...DEFAULTS, ...options };
    const credentials = new Credentials({ ...options, timeoutMs: attemptTimeoutMs });
    const token = (): string | undefined => credentials.token;
    const endpoints = urls.map((url) => new Endpoint({ url, tls, connectTimeoutMs, clock, token }));
    const cluster = new Cluster({ endpoints, credentials, timeoutMs, attemptTimeoutMs, clock, random, logger });
    const keys = new KeySpace(options.prefix ?? "");
    const revisions = new Revisions({ cluster, keys, random, onSetBack: (revision) => this.#setBack(revision) });
    this.#keys = keys;
    this.#nothing = { key: keys.encode("\0"), countOnly: true };
    this.#cluster = cluster;
    this.#revisions = revisions;
    this.#leases = new Leases({ cluster, keys, revisions });
    this.#transactions = new Transactions({ cluster, keys, revisions, leases: this.#leases });
    // Silence is also what a watch gets from a cluster that was set back.
    const onSilence = (): void => void this.#tryRead(this.#nothing).catch(() => undefined);
    this.#watches = new Watches({ cluster, credentials, keys, revisions, clock, random, onSilence });
    this.#logger = logger;
  }

  async get(key: string, options: contract.GetOptions = {}): Promise<contract.GetResult> {
    checkGet(key, options);
    this.#assertOpen();
    const { kvs, header } = await this.#read({ key: this.#keys.encode(key) }, options.revision);
    const kv = kvs[0] && toKeyValue(kvs[0], this.#keys);
    return { kv, revision: Number(header?.revision ?? 0n) };
  }

  async range(options: contract.RangeOptions): Promise<contract.RangeResult> {
    checkRangeRequest(options);
    this.#assertOpen();
    const response = await this.#read(toReadRequest(options, this.#keys) ?? this.#nothing, options.revision);
    return { ...toRange(response, options, this.#keys), revision: Number(response.header?.revision ?? 0n) };
  }

  async txn(txn: contract.Txn): Promise<contract.TxnResult> {
    checkTxn(txn);
    this.#assertOpen();
    return await this.#transactions.run(txn);
  }

  watch(options: contract.WatchOptions): AsyncIterable<contract.WatchBatch> {
    checkWatch(options);
    this.#assertOpen();
    return this.#watches.watch(options);
  }

  async grantLease(ttlMs: number): Promise<contract.LeaseId> {
    checkLeaseTtl(ttlMs);
    this.#assertOpen();
    return await this.#leases.grant(ttlMs);
  }

  async keepAlive(lease: contract.LeaseId): Promise<number> {
    this.#assertOpen();
    return await this.#leases.keepAlive(lease);
  }

  async revokeLease(lease: contract.LeaseId): Promise<void> {
    this.#assertOpen();
    await this.#leases.revoke(lease);
  }

  async leaseTimeToLive(lease: contract.LeaseId): Promise<contract.LeaseStatus> {
    this.#assertOpen();
    return await this.#leases.timeToLive(lease);
  }

  async compact(revision: number): Promise<void> {
    checkRevision(revision);
    this.#assertOpen();
    const { value, repeated } = await this.#cluster.call({
      what: "the compaction",
      repeatable: true,
      perform: async (endpoint, signal) => {
        try {
          await endpoint.kv.compact({ revision: BigInt(revision) }, { signal });
          return undefined;
        } catch (error) {
          return revisionRefusal(error);
        }
      },
    });
    if (value === undefined) return this.#revisions.heardCompacted(revision);
    // Compacted already, after a lost answer: that may have been us.
    if (!(value === "compacted" && repeated)) throw await this.#revisionError(value, revision, revision - 1);
  }

  async status(): Promise<contract.StoreStatus> {
    this.#assertOpen();
    const { value: member } = await this.#cluster.call({
      what: "the store's status",
      repeatable: true,
      // Only root may ask a member that authenticates.
      perform: (endpoint, signal) => endpoint.maintenance.status({}, { signal }).catch(unlessDenied),
    });
    if (member) this.#warnOfDefects(member.version);
    const compactRevision = await this.#compactRevision();
    const { newest: revision } = this.#revisions;
    return { kind: "etcd", revision, compactRevision, ...(member && { sizeBytes: Number(member.dbSize) }) };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#cluster.finish();
    await this.#watches.close();
    this.#cluster.disconnect();
  }

  #setBack(revision: number): void {
    this.#logger?.warn(`etcd was put back to revision ${revision}, from a backup: everything is read afresh`);
    this.#watches.fail((next) => compacted(next, revision));
  }

  #warnOfDefects(version: string): void {
    if (this.#warned || !hasWatchDefects(version)) return;
    this.#warned = true;
    this.#logger?.warn(`etcd ${version} can lose changes that are watched; use 3.4.38, 3.5.8, 3.6 or newer`);
  }

  #assertOpen(): void {
    if (this.#closing) throw closed();
  }

  /** A linearizable read: the member asks the leader how far it has to be before it answers. */
  async #read(request: ReadRequest, revision: number | undefined): Promise<RangeResponse> {
    const value = await this.#tryRead(request, revision);
    if (typeof value === "string") throw await this.#revisionError(value, revision ?? 0);
    return value;
  }

  async #tryRead(request: ReadRequest, revision = 0): Promise<RangeResponse | RevisionRefusal> {
    const before = this.#revisions.newest;
    const { value } = await this.#cluster.call({
      what: "the read",
      repeatable: true,
      perform: async (endpoint, signal) => {
        try {
          return await endpoint.kv.range({ ...request, revision: BigInt(revision) }, { signal });
        } catch (error) {
          return revisionRefusal(error);
        }
      },
    });
    if (typeof value !== "string") this.#revisions.heardLinearizable(value.header, before);
    return value;
  }

  /** Reads work at the last compaction: when one does at the last that is known, there was no other since. */
  async #compactRevision(): Promise<number> {
    const known = this.#revisions.compacted;
    const readable = Math.max(1, known);
    const value = await this.#tryRead(this.#nothing, readable);
    if (typeof value !== "string") return known;
    const compactRevision = await this.#revisions.lastCompaction(readable);
    await this.#tryRead(this.#nothing);
    return compactRevision;
  }

  /** `before`: a revision that is surely older than the compaction, if it was that. */
  async #revisionError(refusal: RevisionRefusal, revision: number, before = revision): Promise<Error> {
    if (refusal === "compacted") return compacted(revision, await this.#revisions.lastCompaction(before));
    const { header } = await this.#read(this.#nothing, undefined);
    return futureRevision(revision, Number(header?.revision ?? 0n));
  }
}

/** @throws the error, when it is another one */
function unlessDenied(error: unknown): undefined {
  if (error instanceof ConnectError && error.code === Code.PermissionDenied) return undefined;
  throw error;
}

/** By etcd's changelogs: progress told out of order with events until 3.4.25 and 3.5.8, events lost until 3.4.38. */
function hasWatchDefects(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  if (major !== 3) return major < 3;
  return minor < 4 || (minor === 4 && patch < 38) || (minor === 5 && patch < 8);
}

/** Why a revision cannot be had. */
type RevisionRefusal = "compacted" | "future";

/** @throws the error, when it is none about revisions */
function revisionRefusal(error: unknown): RevisionRefusal {
  const text = error instanceof ConnectError ? error.rawMessage : "";
  if (text.includes("has been compacted")) return "compacted";
  if (text.includes("is a future revision")) return "future";
  throw error;
}
