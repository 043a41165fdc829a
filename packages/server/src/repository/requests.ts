import { type LeaseId, type Op, put, type Store, unchanged } from "@fiberlb/store";
import type { Entities } from "@fiberlb/types";

import type { Clock } from "../clock.ts";
import { decodeJson, encodeJson } from "./codec.ts";
import type { Stored } from "./entity-reader.ts";
import { type Location, requestKey, type Tenant, type TenantKind } from "./keys.ts";
import { invalidField } from "./refusals.ts";
import type { Condition } from "./transaction.ts";

/** A Create that may be sent again. */
export interface IdempotentRequest {
  /** RPC name; each has request ids of its own. */
  readonly method: string;
  readonly requestId: string;
  /** Of the whole request, to tell a repetition from another request with the same id. */
  readonly bodyHash: string;
}

interface RequestRecord {
  readonly bodyHash: string;
  readonly location: Location;
  readonly entity: object;
  readonly createdAtMs: number;
}

/** How long a request id is remembered. */
export const REQUEST_TTL_MS = 24 * 3_600_000;
/** Records of one hour share a lease, so that there are never more than 25 of them. */
const LEASE_SHARE_MS = 3_600_000;

interface Identified {
  readonly tenant: Tenant;
  readonly request?: IdempotentRequest | undefined;
}

/** Remembers what Creates with a request id made, for a day, per tenant and method. */
export class Requests {
  readonly #store: Store;
  readonly #clock: Clock;
  #lease: { readonly hour: number; readonly id: Promise<LeaseId> } | undefined;

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /**
   * What the first call with this id made, as it was then.
   *
   * @throws DomainError `invalid` when the id came with another body.
   */
  async replay<K extends TenantKind>({ tenant, request }: Identified): Promise<Stored<K> | undefined> {
    if (request === undefined) return undefined;
    const { record } = await this.#read(tenant, request);
    if (record === undefined) return undefined;
    if (record.bodyHash !== request.bodyHash) {
      throw invalidField("request_id", "was used within the last 24 h for another request", "NOT_ALLOWED");
    }
    const { location, entity } = record;
    return { tenant, location, entity: entity as Entities[K], createRevision: 0, modRevision: 0 };
  }

  /** The write that remembers; its condition fails when a call with the same id was faster. */
  async remember(
    { tenant, request }: Identified,
    { location, entity }: Stored,
  ): Promise<{ condition: Condition; op: Op } | undefined> {
    if (request === undefined) return undefined;
    const key = requestKey(tenant, request.method, request.requestId);
    const { modRevision } = await this.#read(tenant, request);
    const { sealedPrivateKey: _, ...shown } = entity as { sealedPrivateKey?: string };
    const createdAtMs = this.#clock.epochMs();
    const record: RequestRecord = { bodyHash: request.bodyHash, location, entity: shown, createdAtMs };
    const op = put(key, encodeJson(record), { lease: await this.#currentLease() });
    return { condition: { compare: unchanged(key, modRevision) }, op };
  }

  async #read(
    tenant: Tenant,
    { method, requestId }: IdempotentRequest,
  ): Promise<{ readonly record?: RequestRecord; readonly modRevision: number }> {
    const { kv } = await this.#store.get(requestKey(tenant, method, requestId));
    if (kv === undefined) return { modRevision: 0 };
    const record = decodeJson(kv.value) as RequestRecord;
    const expired = this.#clock.epochMs() - record.createdAtMs >= REQUEST_TTL_MS;
    return { modRevision: kv.modRevision, ...(expired ? {} : { record }) };
  }

  async #currentLease(): Promise<LeaseId> {
    const hour = Math.floor(this.#clock.epochMs() / LEASE_SHARE_MS);
    if (this.#lease?.hour !== hour) {
      this.#lease = { hour, id: this.#store.grantLease(REQUEST_TTL_MS + LEASE_SHARE_MS) };
    }
    const current = this.#lease;
    try {
      return await current.id;
    } catch (error) {
      if (this.#lease === current) this.#lease = undefined;
      throw error;
    }
  }

  /** The store no longer knows the lease: the next record gets a new one. */
  forgetLease(): void {
    this.#lease = undefined;
  }
}
