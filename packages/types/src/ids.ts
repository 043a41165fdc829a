import type { Branded } from "./brand.ts";
import { fail, ok, type ParseResult, show } from "./result.ts";

/** A UUIDv7 (RFC 9562 §5.7) in lower case. Each resource brands its own, so that a pool's id cannot pass for a listener's. */
export type Id<Name extends string = string> = Branded<string, Name>;
/** Names a load balancer. */
export type LoadBalancerId = Id<"LoadBalancerId">;
/** Names a listener. */
export type ListenerId = Id<"ListenerId">;
/** Names a pool. */
export type PoolId = Id<"PoolId">;
/** Names a backend. */
export type BackendId = Id<"BackendId">;
/** Names a health check. */
export type HealthCheckId = Id<"HealthCheckId">;
/** Names an L7 policy. */
export type L7PolicyId = Id<"L7PolicyId">;
/** Names an L7 rule. */
export type L7RuleId = Id<"L7RuleId">;
/** Names a certificate. */
export type CertificateId = Id<"CertificateId">;
/** Names a VIP pool. */
export type VipPoolId = Id<"VipPoolId">;

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Reads an id; upper case is accepted and made lower. */
export function parseId<I extends Id>(text: string): ParseResult<I> {
  const id = text.toLowerCase();
  if (UUID_V7.test(id)) return ok(id as I);
  return fail(`must be an id such as 019a3c7e-0b1d-7c44-8f6e-2b9d1c5a7e30, not ${show(text)}`);
}

/** Where {@link IdGenerator} takes time and chance from. */
export interface IdSource {
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  /** Fills the array with random bytes, as `crypto.getRandomValues` does. */
  readonly fillRandom: (bytes: Uint8Array<ArrayBuffer>) => void;
}

/** Random bits of a UUIDv7: 12 in rand_a and 62 in rand_b. */
const RANDOM_BITS = 74n;

/**
 * Makes UUIDv7 ids that rise strictly, also within one millisecond and when the clock steps back: then the random part of
 * the id before is counted up (RFC 9562 §6.2, method 2), so that the order (createdAt, id) is the order of creation.
 */
export class IdGenerator {
  readonly #source: IdSource;
  #lastMs = -1;
  #lastRandom = 0n;

  constructor(source: IdSource) {
    this.#source = source;
  }

  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller says whose id it makes
  next<I extends Id>(): I {
    const now = this.#source.nowMs();
    if (now > this.#lastMs) {
      this.#lastMs = now;
      this.#lastRandom = this.#random();
    } else {
      this.#lastRandom += 1n;
    }
    return formatUuidV7(this.#lastMs, this.#lastRandom) as I;
  }

  /** The top bit stays clear, which leaves room for 2^73 ids more in the same millisecond. */
  #random(): bigint {
    const bytes = new Uint8Array(10);
    this.#source.fillRandom(bytes);
    const bits = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
    return bits & ((1n << (RANDOM_BITS - 1n)) - 1n);
  }
}

function formatUuidV7(unixMs: number, random: bigint): string {
  const randA = random >> 62n;
  const randB = random & ((1n << 62n) - 1n);
  const bits = (BigInt(unixMs) << 80n) | (7n << 76n) | (randA << 64n) | (2n << 62n) | randB;
  const hex = bits.toString(16).padStart(32, "0");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
