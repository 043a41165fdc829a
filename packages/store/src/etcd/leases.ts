import { randomBytes } from "node:crypto";

import { Code, ConnectError } from "@connectrpc/connect";

import { isStoreError, StoreError } from "../errors.ts";
import { leaseNotFound } from "../refusals.ts";
import type { LeaseId, LeaseStatus } from "../store.ts";
import type { Cluster } from "./cluster.ts";
import type { Endpoint } from "./endpoint.ts";
import { classify } from "./failure.ts";
import type { KeySpace } from "./key-space.ts";
import { fromLeaseId, toLeaseId } from "./lease-id.ts";
import type { Revisions } from "./revisions.ts";

const MS_PER_SECOND = 1000;

/** Leases, whose time etcd keeps in whole seconds. */
export class Leases {
  readonly #cluster: Cluster;
  readonly #keys: KeySpace;
  readonly #revisions: Revisions;

  constructor(options: { readonly cluster: Cluster; readonly keys: KeySpace; readonly revisions: Revisions }) {
    this.#cluster = options.cluster;
    this.#keys = options.keys;
    this.#revisions = options.revisions;
  }

  /** The id is ours, so that a grant whose answer was lost can be asked for again. */
  async grant(ttlMs: number): Promise<LeaseId> {
    const id = randomId();
    const ttl = BigInt(Math.ceil(ttlMs / MS_PER_SECOND));
    const { value } = await this.#cluster.call({
      what: "the lease",
      repeatable: true,
      perform: async (endpoint, signal) => {
        try {
          return (await endpoint.lease.leaseGrant({ id, ttl }, { signal })).header;
        } catch (error) {
          if (isLeaseError(error, "already exists")) return undefined;
          throw error;
        }
      },
    });
    this.#revisions.heard(value);
    return toLeaseId(id);
  }

  async keepAlive(lease: LeaseId): Promise<number> {
    const id = known(lease);
    const { value: ttl } = await this.#cluster.call({
      what: `the renewal of lease ${lease}`,
      repeatable: true,
      perform: (endpoint, signal) => this.#renew(endpoint, id, signal),
    });
    if (ttl <= 0n) throw leaseNotFound(lease);
    return Number(ttl) * MS_PER_SECOND;
  }

  async revoke(lease: LeaseId): Promise<void> {
    const id = known(lease);
    const { value, repeated } = await this.#cluster.call({
      what: `the end of lease ${lease}`,
      repeatable: true,
      perform: async (endpoint, signal) => {
        try {
          return { header: (await endpoint.lease.leaseRevoke({ id }, { signal })).header };
        } catch (error) {
          if (isLeaseError(error, "not found")) return undefined;
          throw error;
        }
      },
    });
    this.#revisions.heard(value?.header);
    // Gone after a lost answer: that was us.
    if (value === undefined && !repeated) throw leaseNotFound(lease);
  }

  async timeToLive(lease: LeaseId): Promise<LeaseStatus> {
    const id = known(lease);
    const { value } = await this.#cluster.call({
      what: `the state of lease ${lease}`,
      repeatable: true,
      perform: (endpoint, signal) => endpoint.lease.leaseTimeToLive({ id, keys: true }, { signal }),
    });
    this.#revisions.heard(value.header);
    // etcd says 0 in the last second, -1 when it is over.
    if (value.ttl < 0n) throw leaseNotFound(lease);
    return {
      ttlMs: Number(value.grantedTtl) * MS_PER_SECOND,
      remainingMs: Number(value.ttl) * MS_PER_SECOND,
      keys: value.keys.map((key) => this.#keys.decode(key)).toSorted(),
    };
  }

  /** Which of these leases has ended, for a transaction that was refused for one of them. */
  async firstEnded(leases: readonly LeaseId[]): Promise<LeaseId | undefined> {
    for (const lease of leases) {
      try {
        await this.timeToLive(lease);
      } catch (error) {
        if (isStoreError(error, "LEASE_NOT_FOUND")) return lease;
        throw error;
      }
    }
    return undefined;
  }

  /** One stream for one renewal, as etcd's own client does it for a single one. */
  async #renew(endpoint: Endpoint, id: bigint, signal: AbortSignal): Promise<bigint> {
    const end = new AbortController();
    const requests = (async function* () {
      yield { id };
    })();
    try {
      const responses = endpoint.lease.leaseKeepAlive(requests, { signal: AbortSignal.any([signal, end.signal]) });
      for await (const { header, ttl } of responses) {
        this.#revisions.heard(header);
        return ttl;
      }
      throw new StoreError("UNAVAILABLE", "etcd ended the renewal without an answer");
    } finally {
      end.abort();
    }
  }
}

function known(lease: LeaseId): bigint {
  const id = fromLeaseId(lease);
  if (id === undefined) throw leaseNotFound(lease);
  return id;
}

/** Positive, 63 bits. */
function randomId(): bigint {
  return (randomBytes(8).readBigUInt64BE() >> 1n) | 1n;
}

/** Whether etcd said so of a lease: `requested lease not found`, `lease already exists`. */
export function isLeaseError(error: unknown, what: string): boolean {
  if (!(error instanceof ConnectError) || classify(error).kind !== "refused") return false;
  const codes = [Code.NotFound, Code.AlreadyExists, Code.FailedPrecondition];
  return codes.includes(error.code) && error.rawMessage.includes("lease") && error.rawMessage.includes(what);
}
